"""The folder in which the processes of one replica tell each other what they counted.

::

    lock              held by whoever writes, reads or tidies up; for milliseconds
    draft             of a file that is being written
    <id>.counts       of one process, replaced as a whole; locked for as long as it lives
    ended.counts      of all processes that have ended, added up

A process that ends, however it does, lets go of the lock on its file: by that the others know, so
that neither a pid that is used again nor a crash deceives them. Whoever looks next adds the file to
those that ended. So files don't grow in number, and nothing that was ever told is lost: what an
answer tells of this process is in its file before, and of others only what was in theirs.
"""

import contextlib
import fcntl
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mainstay.core.clock import pause
from mainstay.telemetry.metrics.sharing.record import RECORD_BYTES_MAX, Record, decode, encode
from mainstay.telemetry.metrics.snapshot import Snapshot, merge, rising

FOLDER_MODE = 0o700
FILE_MODE = 0o600
_OTHERS_WRITE = 0o022
FILES_MAX = 1024
"""More processes of one replica are not looked at."""

WAIT_S = 2.0
"""Nobody waits longer for the lock: who holds it may have been stopped."""

_LOOK_S = 0.002
_ENDED = "ended"
_SUFFIX = ".counts"
_DRAFT = "draft"
"""Of whatever is written: who holds the lock is the only one who writes."""


class FolderBusy(OSError):
    """Another process holds the folder's lock and does not let go of it."""


class Folder:
    """One process's part in the folder. Its methods may be called by any thread.

    Args:
        path: The folder; made where it isn't there, and so are those above it.
        series_max: Of one metric, of all processes together.
        root: The folder above it, where that is ours too and must be as private.
        wait: Passes the seconds until the lock is looked at again.
    """

    __slots__ = ("_own", "_path", "_private", "_series_max", "_used", "_wait", "name")

    def __init__(
        self,
        path: Path,
        *,
        series_max: int,
        root: Path | None = None,
        wait: Callable[[float], object] = pause,
    ) -> None:
        self._path = path
        # In this order: who may write to the one above could put another in its place.
        self._private = (path,) if root is None else (root, path)
        self._series_max = series_max
        self._wait = wait
        self._own: int | None = None
        # Descriptors that a fork would take along, with the locks on them.
        self._used: set[int] = set()
        self.name = _new_name()

    def forget(self) -> None:
        """Begin anew in a forked process: the file is the parent's, and so are the locks."""
        for file in self._used:
            with contextlib.suppress(OSError):
                os.close(file)
        self._used = set()
        self._own = None
        self.name = _new_name()

    def is_used(self) -> bool:
        """Return whether anybody has told anything here; a look, without a lock."""
        try:
            return any(one.suffix == _SUFFIX for one in self._path.iterdir())
        except OSError:
            return False

    def tell(self, counted: Snapshot) -> None:
        """Write what this process has counted.

        Raises:
            OSError: The folder can't be written, or is busy.
            ValueError: It is too much.
        """
        with self._locked():
            self._write_own(counted)

    def ask(self, counted: Snapshot) -> list[Snapshot]:
        """Write what this process has counted; return that of the others, those that ended first.

        Raises:
            OSError: As ``tell``.
            ValueError: As ``tell``.
        """
        with self._locked():
            self._write_own(counted)
            living, ended = self._bury()
        return [ended.counted, *living]

    def leave(self, counted: Snapshot) -> None:
        """Write what this process has counted at its end, and let go of the file.

        Raises:
            OSError: As ``tell``.
            ValueError: As ``tell``.
        """
        with self._locked():
            self._write_own(counted)
            self._let_go()
            self._bury()

    def _bury(self) -> tuple[list[Snapshot], Record]:
        """Add those that ended to one file; return what the living counted, and that."""
        ended = self._read(_ENDED) or Record(counted={})
        living: list[Snapshot] = []
        gone: list[str] = []
        parts = [ended.counted]
        for name in self._names():
            if name in ended.absorbed:
                # Added before, and whoever did so was cut off before it could be removed.
                self._remove(name)
                continue
            if name == self.name and self._own is not None:
                continue
            record, lives = self._look_at(name)
            if lives:
                living += [] if record is None else [record.counted]
                continue
            gone.append(name)
            if record is not None:
                parts.append(rising(record.counted))
        if gone:
            # In this order: cut off between any two steps, nothing is lost and nothing added twice.
            together = merge(parts, series_max=self._series_max)
            ended = Record(counted=together, absorbed=tuple(gone))
            self._close(self._write(_ENDED, encode(ended)))
            for name in gone:
                self._remove(name)
        return living, ended

    def _names(self) -> list[str]:
        found = sorted(one.stem for one in self._path.iterdir() if one.suffix == _SUFFIX)
        return [name for name in found if name != _ENDED][:FILES_MAX]

    def _look_at(self, name: str) -> tuple[Record | None, bool]:
        """Return what a file holds, if that is anything, and whether its process lives."""
        file = self._open(name + _SUFFIX, os.O_RDONLY)
        try:
            lives = not _try_lock(file)
            if not lives:
                # A child that is forked in this moment must not hold what nobody does.
                fcntl.flock(file, fcntl.LOCK_UN)
            return decode(_content(file)), lives
        finally:
            self._close(file)

    def _read(self, name: str) -> Record | None:
        try:
            file = self._open(name + _SUFFIX, os.O_RDONLY)
        except FileNotFoundError:
            return None
        try:
            return decode(_content(file))
        finally:
            self._close(file)

    def _write_own(self, counted: Snapshot) -> None:
        written = self._write(self.name, encode(Record(counted=counted)), lock=True)
        self._let_go()
        self._own = written

    def _let_go(self) -> None:
        if self._own is not None:
            self._close(self._own)
            self._own = None

    def _write(self, name: str, content: bytes, *, lock: bool = False) -> int:
        """Replace a file as a whole; return it, open and, where asked, locked before it is seen."""
        # Whoever was cut off while writing may have left one.
        self._remove_file(_DRAFT)
        file = self._open(_DRAFT, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        try:
            if lock:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with open(file, "wb", closefd=False) as stream:
                stream.write(content)
            os.rename(self._path / _DRAFT, self._path / (name + _SUFFIX))  # noqa: PTH104  As below.
        except OSError:
            self._close(file)
            self._remove_file(_DRAFT)
            raise
        return file

    def _remove(self, name: str) -> None:
        self._remove_file(name + _SUFFIX)

    def _remove_file(self, name: str) -> None:
        (self._path / name).unlink(missing_ok=True)

    def _open(self, name: str, flags: int) -> int:
        # No link is followed: the folder is ours, but who knows for how long.
        path = self._path / name
        file = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, FILE_MODE)
        self._used.add(file)
        return file

    def _close(self, file: int) -> None:
        self._used.discard(file)
        os.close(file)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        for folder in self._private:
            make_private(folder)
        lock = self._open("lock", os.O_RDWR | os.O_CREAT)
        try:
            waited_s = 0.0
            while not _try_lock(lock):
                if waited_s >= WAIT_S:
                    raise FolderBusy(f"{self._path} is held by another process for {WAIT_S:g} s")
                self._wait(_LOOK_S)
                waited_s += _LOOK_S
            try:
                yield
            finally:
                # Said, and not left to the closing: a child that was forked meanwhile has it too.
                fcntl.flock(lock, fcntl.LOCK_UN)
        finally:
            self._close(lock)


def make_private(path: Path) -> None:
    """Make a folder that only this user may write to, and those above it, where they aren't there.

    Raises:
        PermissionError: There is one that others may write to, or that is somebody else's.
        OSError: It can't be made.
    """
    for folder in (*reversed(path.parents), path):
        if not folder.exists():
            with contextlib.suppress(FileExistsError):
                folder.mkdir(mode=FOLDER_MODE)
    found = path.lstat()
    if (
        not stat.S_ISDIR(found.st_mode)
        or found.st_uid != os.geteuid()
        or stat.S_IMODE(found.st_mode) & _OTHERS_WRITE
    ):
        raise PermissionError(f"{path} is no folder that only this user may write to")


def is_deserted(path: Path) -> bool:
    """Return whether no process tells anything in a folder any more."""
    for one in path.iterdir():
        if one.suffix == _SUFFIX:
            try:
                file = os.open(one, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            except FileNotFoundError:
                # Somebody has just replaced it or tidied up.
                return False
            try:
                if not _try_lock(file):
                    return False
            finally:
                os.close(file)
    return True


def _new_name() -> str:
    # The pid is for people; a process that forks may get it again.
    return f"{os.getpid()}-{secrets.token_hex(4)}"


def _try_lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _content(file: int) -> bytes:
    """Return what a file holds, and no more than a record may have."""
    with open(file, "rb", closefd=False) as stream:
        return stream.read(RECORD_BYTES_MAX + 1024)
