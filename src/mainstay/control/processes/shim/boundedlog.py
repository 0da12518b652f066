# ruff: noqa: PTH104  pathlib would cost every shim a megabyte.
"""The log of one child: bounded files, and a full disk is never the child's trouble.

A file never grows above its bound; the three before it are kept as ``.1`` (the youngest) to ``.3``.
What cannot be written is dropped and counted, and a line says so once writing works again.
"""

import errno
import os
import stat

OLDER_FILES = 3
"""Files that are kept beside the present one: ``.1`` to ``.3``."""

TAIL_BYTES = 24_576
"""How much of the latest output is kept in memory, for the diagnosis of a death."""

RETRY_AFTER_S = 0.2
"""Pause after a failed write: a child that writes much must not make a full disk busy, too."""

LOOK_AFTER_S = 1.0
"""How often a write looks whether the file is still where its path says."""

_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


class BoundedLog:
    """Writes output to ``path`` within ``bytes_max`` a file; never raises for want of a disk.

    Args:
        path: The present log file; its folder is not made.
        bytes_max: Bound of one file, at least 1.
    """

    __slots__ = (
        "_at_line_start", "_bytes_max", "_fd", "_look_at_s", "_path", "_retry_at_s", "_rotates",
        "_size", "_unsaid", "_why", "dropped_bytes", "tail",
    )  # fmt: skip

    def __init__(self, path: bytes, *, bytes_max: int) -> None:
        assert bytes_max >= 1
        self._path = path
        self._bytes_max = bytes_max
        self._fd = -1
        self._size = 0
        self._rotates = False
        self._at_line_start = True
        self._look_at_s = 0.0
        self._retry_at_s = 0.0
        self._unsaid = 0
        self._why = ""
        self.dropped_bytes = 0
        self.tail = b""

    def write(self, data: bytes, *, now_s: float) -> None:
        """Append ``data``; what cannot be written now is dropped and counted."""
        self.tail = (self.tail + data)[-TAIL_BYTES:]
        rest = data
        try:
            if now_s < self._retry_at_s:
                return
            self._open(now_s)
            self._say_dropped()
            # Every turn either writes at least a byte or rotates, after which a byte fits.
            while rest:
                cut = self._cut(rest)
                if cut:
                    rest = rest[self._append(rest[:cut]) :]
                else:
                    self._rotate()
        except OSError as error:
            self._why = os.strerror(error.errno or 0)
            self._retry_at_s = now_s + RETRY_AFTER_S
            self._close()
        finally:
            self._unsaid += len(rest)
            self.dropped_bytes += len(rest)

    def finish(self) -> None:
        """Say what was dropped, if that is possible by now, and close the file."""
        try:
            self._open(self._look_at_s)
            self._say_dropped()
        except OSError:
            # The count is in the record of the end as well.
            self._unsaid = 0
        self._close()

    def _cut(self, data: bytes) -> int:
        """Return how much of ``data`` goes into the present file; 0 means: rotate first."""
        room = self._bytes_max - self._size
        if len(data) <= room:
            return len(data)
        if room <= 0:
            return 0
        whole_lines = data.rfind(b"\n", 0, room) + 1
        if whole_lines or (self._at_line_start and self._size):
            return whole_lines
        # One line that is longer than what is left, begun here: nothing keeps it whole.
        return room

    def _append(self, data: bytes) -> int:
        written = os.write(self._fd, data)
        self._size += written
        self._at_line_start = data[written - 1 : written] == b"\n"
        return written

    def _say_dropped(self) -> None:
        if not self._unsaid:
            return
        line = b"[mainstay] %d bytes of this log were dropped: %s\n" % (
            self._unsaid,
            self._why.encode(),
        )
        if not self._at_line_start:
            line = b"\n" + line
        if self._size + len(line) > self._bytes_max and self._size:
            self._rotate()
        if os.write(self._fd, line) < len(line):
            self._at_line_start = False
            raise OSError(errno.ENOSPC, "short write")
        self._size += len(line)
        self._at_line_start = True
        self._unsaid = 0

    def _open(self, now_s: float) -> None:
        """Have the file open that ``path`` names: it, or its folder, may have been deleted."""
        if self._fd >= 0:
            if now_s < self._look_at_s:
                return
            self._look_at_s = now_s + LOOK_AFTER_S
            if _same_file(self._path, self._fd):
                return
            self._close()
        self._fd = os.open(self._path, _FLAGS, 0o600)
        self._look_at_s = now_s + LOOK_AFTER_S
        status = os.fstat(self._fd)
        # A device or a pipe in the log's place is written to, never renamed.
        self._rotates = stat.S_ISREG(status.st_mode)
        self._size = status.st_size if self._rotates else 0
        self._at_line_start = True

    def _rotate(self) -> None:
        if self._rotates:
            try:
                for age in range(OLDER_FILES, 0, -1):
                    _rename(self._older(age - 1), self._older(age))
            except OSError:
                # The bound comes before history: what cannot be moved away is cut off.
                os.ftruncate(self._fd, 0)
            self._close()
            self._open(self._look_at_s - LOOK_AFTER_S)
        self._size = 0
        self._at_line_start = True

    def _older(self, age: int) -> bytes:
        return self._path if age == 0 else self._path + b".%d" % age

    def _close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _rename(source: bytes, target: bytes) -> None:
    try:
        os.rename(source, target)
    except FileNotFoundError:
        # Not that old yet, or deleted by a person.
        return


def _same_file(path: bytes, fd: int) -> bool:
    try:
        return os.path.samestat(os.lstat(path), os.fstat(fd))
    except FileNotFoundError:
        return False
