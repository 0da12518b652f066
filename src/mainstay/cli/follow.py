"""Reading the log files of many replicas: the last lines of each, then what comes."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

TAIL_BYTES_MAX: Final = 4 * 2**20
"""At most so much of the end of a file is looked at for its last lines."""

CHUNK_BYTES: Final = 256 * 1024
"""Read at once while following; the rest comes with the next look."""

LINE_BYTES_MAX: Final = 64 * 1024
"""A line without an end is given out in pieces of this size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of one replica's log, without its end."""

    replica: str
    text: str


@dataclass(kw_only=True, eq=False)
class Follower:
    """Reads one log file on from where it was, across rotations.

    Attributes:
        path: The present file; a rotation renames it and makes a new one.
        offset: What was read of it, in bytes.
        inode: Of the file that ``offset`` belongs to; 0 before the first look.
        rest: Bytes after the last end of line.
    """

    path: Path
    offset: int = 0
    inode: int = 0
    rest: bytes = field(default=b"", repr=False)

    @property
    def replica(self) -> str:
        """The replica whose log it is."""
        return self.path.stem

    def tail(self, lines: int) -> list[Line]:
        """Return the last lines, and stand at the end of the file."""
        try:
            with self.path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                self.inode = os.fstat(file.fileno()).st_ino
                file.seek(max(0, size - TAIL_BYTES_MAX))
                data = file.read(TAIL_BYTES_MAX)
                self.offset = file.tell()
        except FileNotFoundError:
            return []
        whole, _, self.rest = data.rpartition(b"\n")
        found = whole.split(b"\n") if whole else []
        return [self._line(raw) for raw in found[len(found) - min(lines, len(found)) :]]

    def more(self) -> list[Line]:
        """Return the lines that came since the last look."""
        found = self._read(self.path, finish=False)
        try:
            rotated = self.path.stat().st_ino != self.inode
        except FileNotFoundError:
            return found
        if rotated:
            # The rest of the file that was renamed away first, then the new one from its start.
            found += self._read(self.path.with_name(self.path.name + ".1"), finish=True)
            self.offset, self.inode = 0, self.path.stat().st_ino
            found += self._read(self.path, finish=False)
        return found

    def _read(self, path: Path, *, finish: bool) -> list[Line]:
        try:
            with path.open("rb") as file:
                if os.fstat(file.fileno()).st_ino != self.inode:
                    return []
                file.seek(self.offset)
                data = self.rest + file.read(CHUNK_BYTES)
                self.offset = file.tell()
        except FileNotFoundError:
            return []
        *whole, self.rest = data.split(b"\n")
        if self.rest and (finish or len(self.rest) > LINE_BYTES_MAX):
            whole.append(self.rest)
            self.rest = b""
        return [self._line(raw) for raw in whole]

    def _line(self, raw: bytes) -> Line:
        return Line(replica=self.replica, text=raw.decode("utf-8", "backslashreplace"))


def log_files(folder: Path, wanted: Iterable[str]) -> Iterator[Path]:
    """Yield the present log files of the services or replicas in ``wanted``; of all for none."""
    names = set(wanted)
    for path in sorted(folder.glob("*.log")):
        service = path.stem.rpartition("-")[0]
        if not names or path.stem in names or service in names:
            yield path
