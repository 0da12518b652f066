"""Circuits of the processes of one host, told through a small file.

The file holds one record that is read and written whole, with a checksum: half a record, or
somebody else's, is as good as none. It is read by a system call and not mapped, since a mapped file
that somebody cuts short ends the process that looks at it.
"""

import contextlib
import os
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
        path: The file; its folder exists and is private to the service. Made with mode 0600.
    """

    __slots__ = ("_file", "_path")

    def __init__(self, path: Path | str) -> None:
        self._path = Path(path)
        self._file: int | None = None

    def read(self) -> Told | None:
        """Return what was told last, or None: nothing, or the file can't be read."""
        file = self._open()
        if file is None:
            return None
        try:
            record = os.pread(file, _BYTES, 0)
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
            os.pwrite(file, body + _CHECK.pack(zlib.crc32(body)), 0)
        except OSError:
            return None
        return Told(serial=serial, open_until_s=open_until_s)

    def close(self) -> None:
        """Close the file; it is opened again where it is needed."""
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):
                os.close(file)

    def __del__(self) -> None:
        self.close()

    def _open(self) -> int | None:
        if self._file is None:
            try:
                # No link is followed: the folder is ours, but who knows for how long.
                flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
                self._file = os.open(self._path, flags, 0o600)
            except OSError:
                return None
        return self._file


def _told(record: bytes) -> Told | None:
    if len(record) != _BYTES:
        return None
    body, check = record[: _RECORD.size], record[_RECORD.size :]
    magic, serial, until_s = _RECORD.unpack(body)
    if magic != _MAGIC or _CHECK.unpack(check)[0] != zlib.crc32(body):
        return None
    return Told(serial=serial, open_until_s=None if until_s == _CLOSED else until_s)
