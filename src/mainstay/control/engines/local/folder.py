"""``.mainstay/``: private folders for what a running system leaves on the disk, and its lock."""

import contextlib
import fcntl
import os
import stat
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from mainstay.core.clock import pause
from mainstay.core.errors import AlreadyRunning, EngineRefused

NAME = ".mainstay"
SUBFOLDERS = ("edge", "logs", "ends", "run", "traces")
LOCK_TRIES: Final = 200
"""Of taking the lock, while somebody asks who holds it or the file is deleted below us."""

LOCK_PAUSE_S: Final = 0.002
"""Between two of them; who asks holds the lock for some microseconds."""

_PID_DIGITS_MAX = 12


class FolderRefused(EngineRefused):
    """The folder cannot be ours: a link, another user's, no folder, or it cannot be made."""


def prepare(folder: Path) -> None:
    """Make ``folder`` and what belongs in it, readable by this user alone.

    Folders that exist are made private. A ``.gitignore`` keeps all of it out of repositories.

    Raises:
        FolderRefused: One of them is a symbolic link, not a folder, another user's, or cannot be
            made. Following a link would write secrets to wherever it points.
    """
    for one in (folder, *(folder / name for name in SUBFOLDERS)):
        _make_private(one)
    ignore = folder / ".gitignore"
    try:
        fd = os.open(ignore, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "w") as file:
            file.write("*\n")
    except FileExistsError:
        return
    except OSError as error:
        raise FolderRefused(f"{ignore} cannot be written: {_why(error)}") from error


def _make_private(folder: Path) -> None:
    try:
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        # Opened without following a link, and then asked: between two looks it could be exchanged.
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        if folder.is_symlink():
            raise FolderRefused(f"{folder} is a symbolic link; remove it") from error
        raise FolderRefused(f"{folder} cannot be made: {_why(error)}") from error
    try:
        status = os.fstat(fd)
        if status.st_uid != os.geteuid():
            raise FolderRefused(f"{folder} belongs to another user (uid {status.st_uid})")
        if stat.S_IMODE(status.st_mode) != 0o700:  # noqa: PLR2004  rwx for the owner alone.
            os.fchmod(fd, 0o700)
    except OSError as error:
        raise FolderRefused(f"{folder} cannot be made private: {_why(error)}") from error
    finally:
        os.close(fd)


class SystemLock:
    """Held by the one daemon of a system; the kernel releases it when the daemon dies, however.

    No child inherits it, so a replica that outlives the daemon does not hold it.

    Args:
        path: The lock file; its folder exists. It stays when the lock is released.
        wait: Waits for so many seconds between two tries.
    """

    __slots__ = ("_fd", "_path", "_wait")

    def __init__(self, path: Path, *, wait: Callable[[float], None] = pause) -> None:
        self._path = path
        self._wait = wait
        self._fd = -1

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()

    def acquire(self) -> None:
        """Take the lock, or learn at once that another daemon holds it.

        Only for those who ask for its holder it waits, 0.4 s at most.

        Raises:
            AlreadyRunning: Another process holds it; its ``pid`` is 0 if not known.
            FolderRefused: The file cannot be opened, or never becomes free of those who ask.
        """
        assert self._fd < 0, "one lock is taken once"
        for _ in range(LOCK_TRIES):
            fd = self._open()
            if self._locked(fd):
                self._sign(fd)
                self._fd = fd
                return
            os.close(fd)
            self._wait(LOCK_PAUSE_S)
        raise FolderRefused(f"{self._path} is deleted, or asked for, again and again")

    def release(self) -> None:
        """Let go of the lock; nothing happens if it is not held."""
        if self._fd >= 0:
            # Not deleted: someone may have it open, waiting to lock this very file.
            os.ftruncate(self._fd, 0)
            os.close(self._fd)
            self._fd = -1

    def lost(self) -> bool:
        """Return whether the lock is held and its file is not there any more, or another one is.

        Then nobody can find its holder, and a second daemon could start beside it.
        """
        return self._fd >= 0 and not self._is_still_there(self._fd)

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            return os.open(self._path, flags, 0o600)
        except OSError as error:
            raise FolderRefused(f"{self._path} cannot be opened: {_why(error)}") from error

    def _locked(self, fd: int) -> bool:
        """Lock the open file; return False where another try may do it. Closes it on an error."""
        try:
            if _flock(fd, fcntl.LOCK_EX):
                # Deleted between our opening and our locking it: a lock that nobody can find.
                return self._is_still_there(fd)
            # Those who ask share the lock; only one who holds it for himself bars us from that.
            if _flock(fd, fcntl.LOCK_SH):
                return False
        except OSError as error:
            os.close(fd)
            raise FolderRefused(f"{self._path} cannot be locked: {_why(error)}") from error
        pid = _pid_in(fd)
        os.close(fd)
        who = f"process {pid}" if pid else "another process"
        raise AlreadyRunning(f"this system is run by {who}", pid=pid)

    def _sign(self, fd: int) -> None:
        """Write who holds the lock into its file. Closes it on an error."""
        try:
            os.ftruncate(fd, 0)
            os.pwrite(fd, b"%d\n" % os.getpid(), 0)
        except OSError as error:
            os.close(fd)
            raise FolderRefused(f"{self._path} cannot be written: {_why(error)}") from error

    def _is_still_there(self, fd: int) -> bool:
        try:
            return os.path.samestat(os.lstat(self._path), os.fstat(fd))
        except FileNotFoundError:
            return False


def lock_holder(path: Path) -> int | None:
    """Return the pid of the process that holds the lock, 0 if unknown; None if nobody does."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        # Shared, so that two who ask at once do not take each other for the daemon.
        return None if _flock(fd, fcntl.LOCK_SH) else _pid_in(fd)
    finally:
        os.close(fd)


def _flock(fd: int, kind: int) -> bool:
    """Return whether the lock was free; nobody waits for it."""
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _pid_in(fd: int) -> int:
    digits = os.pread(fd, _PID_DIGITS_MAX, 0).strip()
    return int(digits) if digits.isdigit() else 0


def _why(error: OSError) -> str:
    return os.strerror(error.errno or 0)
