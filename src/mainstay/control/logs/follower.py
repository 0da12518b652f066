"""One replica's log, whatever is done to its files: the last lines, then what comes."""

import errno
import os
import stat
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mainstay.control.logs.backward import CHUNK_BYTES, LINE_BYTES_MAX, backward
from mainstay.control.processes.shim.boundedlog import OLDER_FILES

SEARCH_BYTES_MAX: Final = 64 * 2**20
"""So much of the end of a log is looked through for its last lines: four files of 16 MiB."""

KEPT_BYTES_MAX: Final = 16 * 2**20
"""Of the last lines of one log, however many were asked for."""

MISSED: Final = "[mainstay] lines were rotated away before they were read here"

_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of one replica's log, without its end."""

    replica: str
    text: str


def every(line: Line) -> bool:
    """Want all lines."""
    del line
    return True


class Follower:
    """Reads one log. The file stays open, so that what is renamed or deleted is read to its end.

    Args:
        path: The present file; a rotation renames it and makes a new one.

    Attributes:
        path: As given.
        behind: Whether there is more that was not read yet.
        cut: Whether the search for the last lines ended at a bound.
    """

    def __init__(self, *, path: Path) -> None:
        self.path = path
        self.behind = False
        self.cut = False
        self._fd = -1
        self._offset = 0
        self._rest = b""

    @property
    def replica(self) -> str:
        """The replica whose log it is."""
        return self.path.stem

    def close(self) -> None:
        """Let go of the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def tail(self, lines: int, wanted: Callable[[Line], bool] = every) -> list[Line]:
        """Return the last lines that are wanted, and stand at the end of the file.

        Older files of the log are looked through as well, within SEARCH_BYTES_MAX.
        """
        if not self._open(self.path):
            return []
        self._offset = os.fstat(self._fd).st_size
        found: deque[Line] = deque()
        looked = kept = 0
        for raw in self._backward():
            line = self._line(raw)
            looked += len(raw) + 1
            if len(found) >= lines:
                break
            if wanted(line):
                found.appendleft(line)
                kept += len(raw)
            if looked > SEARCH_BYTES_MAX or kept > KEPT_BYTES_MAX:
                self.cut = True
                break
        return list(found)

    def more(self) -> list[Line]:
        """Return the lines that came since the last look; of many, the first CHUNK_BYTES."""
        found: list[Line] = []
        left = CHUNK_BYTES
        looked_again = False
        if self._fd < 0 and not self._open(self.path):
            return []
        while left > 0:
            data = os.pread(self._fd, left, self._offset)
            if data:
                found += self._take(data)
                left -= len(data)
            elif self._is_cut_off():
                self._offset, self._rest = 0, b""
            elif (successor := self._successor()) is None:
                break
            elif not looked_again:
                # What was appended between our look and its renaming.
                looked_again = True
            else:
                looked_again = False
                last = self._last_words(successor)
                if not self._open(successor):
                    break
                found += last
        self.behind = left <= 0
        return found

    def _backward(self) -> Iterator[bytes]:
        lines = backward(self._fd, self._offset)
        self._rest = next(lines)
        if len(self._rest) > LINE_BYTES_MAX:
            yield self._rest
            self._rest = b""
        yield from lines
        for path in self._older():
            try:
                fd = os.open(path, _FLAGS)
            except OSError:
                return
            try:
                lines = backward(fd, os.fstat(fd).st_size)
                unfinished = next(lines)
                if unfinished:
                    yield unfinished
                yield from lines
            finally:
                os.close(fd)

    def _older(self) -> list[Path]:
        """Return where older files are, the youngest first."""
        return [self.path.with_name(f"{self.path.name}.{age + 1}") for age in range(OLDER_FILES)]

    def _open(self, path: Path) -> bool:
        try:
            fd = os.open(path, _FLAGS)
        except FileNotFoundError:
            return False
        kind = os.fstat(fd).st_mode
        if not stat.S_ISREG(kind):
            os.close(fd)
            why = os.strerror(errno.EISDIR) if stat.S_ISDIR(kind) else "Is no file"
            raise OSError(errno.EISDIR, why, str(path))
        self.close()
        self._fd, self._offset, self._rest = fd, 0, b""
        return True

    def _is_cut_off(self) -> bool:
        return os.fstat(self._fd).st_size < self._offset

    def _successor(self) -> Path | None:
        """Return the file that came after ours, or None where ours is the present one."""
        ours = os.fstat(self._fd)
        files = [self.path, *self._older()]
        there: list[Path] = []
        for path in files:
            try:
                status = path.lstat()
            except FileNotFoundError:
                continue
            if os.path.samestat(status, ours):
                return there[-1] if there else None
            there.append(path)
        # Ours was deleted: all there are came after it.
        return there[-1] if there else None

    def _last_words(self, successor: Path) -> list[Line]:
        """Return what is to be said before the next file: the last line, though it has no end."""
        found = [self._line(self._rest)] if self._rest else []
        if os.fstat(self._fd).st_nlink == 0 and successor != self.path:
            found.append(Line(replica=self.replica, text=MISSED))
        return found

    def _take(self, data: bytes) -> Iterable[Line]:
        self._offset += len(data)
        *whole, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LINE_BYTES_MAX:
            whole.append(self._rest)
            self._rest = b""
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
