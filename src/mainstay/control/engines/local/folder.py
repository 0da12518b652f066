"""``.mainstay/``: private folders for what a running system leaves on the disk, and its lock."""

import contextlib
import fcntl
import os
import stat
from pathlib import Path
from types import TracebackType
from typing import Self

from mainstay.core.errors import AlreadyRunning, EngineRefused

NAME = ".mainstay"
SUBFOLDERS = ("edge", "logs", "ends")
_LOCK_TRIES = 5
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
    """

    __slots__ = ("_fd", "_path")

    def __init__(self, path: Path) -> None:
        self._path = path
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
        """Take the lock without waiting.

        Raises:
            AlreadyRunning: Another process holds it; its ``pid`` is 0 if not known.
            FolderRefused: The file cannot be opened.
        """
        assert self._fd < 0, "one lock is taken once"
        for _ in range(_LOCK_TRIES):
            fd = self._open()
            if self._is_still_there(fd):
                os.ftruncate(fd, 0)
                os.pwrite(fd, b"%d\n" % os.getpid(), 0)
                self._fd = fd
                return
            # Deleted between our opening and our locking it: the lock of a file without a name.
            os.close(fd)
        raise FolderRefused(f"{self._path} is deleted again and again")

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
        """Return the file, locked."""
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            fd = os.open(self._path, flags, 0o600)
        except OSError as error:
            raise FolderRefused(f"{self._path} cannot be opened: {_why(error)}") from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            pid = _pid_in(fd)
            os.close(fd)
            who = f"process {pid}" if pid else "another process"
            raise AlreadyRunning(f"this system is run by {who}", pid=pid) from error
        except OSError as error:
            os.close(fd)
            raise FolderRefused(f"{self._path} cannot be locked: {_why(error)}") from error
        return fd

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
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _pid_in(fd)
    finally:
        os.close(fd)
    return None


def _pid_in(fd: int) -> int:
    digits = os.pread(fd, _PID_DIGITS_MAX, 0).strip()
    return int(digits) if digits.isdigit() else 0


def _why(error: OSError) -> str:
    return os.strerror(error.errno or 0)
