"""Circuits of the processes of one host, told through a small file.

The file holds one record that is read and written whole, with a checksum: half a record, or
somebody else's, is as good as none. It is read by a system call and not mapped, since a mapped file
that somebody cuts short ends the process that looks at it.
"""

import contextlib
import os
import stat
import struct
import zlib
from pathlib import Path

from mainstay.core.breakers import Told

_RECORD = struct.Struct("<4sQd")
_CHECK = struct.Struct("<I")
_MAGIC = b"MSB1"
_BYTES = _RECORD.size + _CHECK.size
_CLOSED = -1.0


class HostBreakerState:
    """What the processes of this host told about the circuit of one dependency.

    Monotonic time is the same in all processes of a host, so it is written as it is.

    Args:
        path: The file. It and its folder are made, for this user alone, where they are missing.
            A file that is another's, or open to others, or has a second name, is not used.
    """

    __slots__ = ("_file", "_path")

    def __init__(self, path: Path | str) -> None:
        self._path = Path(path)
        self._file: _Open | None = None

    def read(self) -> Told | None:
        """Return what was told last, or None: nothing, or the file can't be read."""
        file = self._open()
        if file is None:
            return None
        try:
            record = os.pread(file.fd, _BYTES, 0)
        except OSError:
            return None
        return _told(record)

    def write(self, open_until_s: float | None) -> Told | None:
        """Tell; of two that tell at once, one is heard. None: the file can't be written."""
        file = self._open()
        if file is None:
            return None
        # Random and not counted: processes that tell at once would count to the same number.
        serial = int.from_bytes(os.urandom(8), "little")
        body = _RECORD.pack(_MAGIC, serial, _CLOSED if open_until_s is None else open_until_s)
        try:
            os.pwrite(file.fd, body + _CHECK.pack(zlib.crc32(body)), 0)
        except OSError:
            return None
        return Told(serial=serial, open_until_s=open_until_s)

    def close(self) -> None:
        """Close the file; it is opened again where it is needed."""
        self._file = None

    def _open(self) -> "_Open | None":
        file = self._file
        try:
            if file is None or not file.is_ours():
                # For the first time; or who cleans the disk has removed it: others have a new one.
                self._path.parent.mkdir(mode=0o700, exist_ok=True)
                # No link is followed: the folder may be anybody's.
                flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
                file = _Open(os.open(self._path, flags, 0o600))
                # One that is refused is not kept: it would be ours when its second name is gone.
                self._file = file = file if file.is_ours() else None
        except OSError:
            return None
        return file


class _Open:
    """An open file, which is closed when the last of the threads that use it lets go of it."""

    __slots__ = ("fd",)

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def __del__(self) -> None:
        with contextlib.suppress(OSError):
            os.close(self.fd)

    def is_ours(self) -> bool:
        """Return whether it is a file of this user alone, that stands in its folder and no other.

        Raises:
            OSError: It can't be looked at.
        """
        found = os.fstat(self.fd)
        return (
            stat.S_ISREG(found.st_mode)
            and found.st_uid == os.geteuid()
            and not stat.S_IMODE(found.st_mode) & 0o077
            and found.st_nlink == 1
        )


def _told(record: bytes) -> Told | None:
    if len(record) != _BYTES:
        return None
    body, check = record[: _RECORD.size], record[_RECORD.size :]
    magic, serial, until_s = _RECORD.unpack(body)
    if magic != _MAGIC or _CHECK.unpack(check)[0] != zlib.crc32(body):
        return None
    return Told(serial=serial, open_until_s=None if until_s == _CLOSED else until_s)
