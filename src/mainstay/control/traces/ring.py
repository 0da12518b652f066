"""The ring of files that spans are kept in: appended to by the daemon alone, bounded, private.

Lines of JSON in segments that are deleted from the old end. A segment that was cut short by a kill
or a full disk costs its last line; a reader needs no lock, and a daemon that dies none either.
SQLite was weighed: it would answer questions that nobody asks of some ten thousand spans, and its
readers can hold up its writer.
"""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FOLDER: Final = "traces"
"""Below ``.mainstay/``."""

SEGMENT_BYTES: Final = 4 * 2**20
SEGMENTS_MAX: Final = 16
"""64 MiB in all: about a hundred thousand spans."""

AGE_MAX_S: Final = 7 * 86_400.0
"""Older ones are deleted: who looks for a week-old request has a collector."""

_NAME = re.compile(r"spans-(\d{1,12})-(\d{1,12})\.jsonl")
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Segment:
    """One file of the ring.

    Attributes:
        number: Grows from file to file.
        began_s: When it was begun, in whole seconds since 1970.
        path: Where it is.
    """

    number: int
    began_s: int
    path: Path


def segments(folder: Path) -> list[Segment]:
    """Return the segments in a folder, the oldest first; none where the folder is not there."""
    try:
        paths = list(folder.iterdir())
    except FileNotFoundError:
        return []
    return sorted(
        Segment(number=int(match[1]), began_s=int(match[2]), path=path)
        for path in paths
        if (match := _NAME.fullmatch(path.name)) and path.is_file() and not path.is_symlink()
    )


class Ring:
    """Appends to the youngest segment and deletes the oldest ones. Used by one thread.

    Args:
        folder: Private, and there.
        segment_bytes: Bound of one file.
        segments_max: At least 2.
        age_max_s: See AGE_MAX_S.
    """

    def __init__(
        self,
        folder: Path,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        segments_max: int = SEGMENTS_MAX,
        age_max_s: float = AGE_MAX_S,
    ) -> None:
        assert segments_max > 1
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._segments_max = segments_max
        self._age_max_s = age_max_s

    def append(self, lines: Iterable[bytes], now_s: float) -> None:
        """Append lines, each with its end and shorter than a segment.

        Args:
            lines: What to write.
            now_s: Wall time.

        Raises:
            OSError: The disk is full, or refuses otherwise; some of the lines may be there.
        """
        self._folder.mkdir(mode=0o700, exist_ok=True)
        waiting: list[bytes] = []
        size = 0
        for line in lines:
            # One byte is for the end of a line that was cut short before.
            if size + len(line) >= self._segment_bytes:
                self._write(b"".join(waiting), now_s)
                waiting, size = [], 0
            waiting.append(line)
            size += len(line)
        self._write(b"".join(waiting), now_s)

    def _write(self, data: bytes, now_s: float) -> None:
        if not data:
            return
        fd = os.open(self._youngest(len(data) + 1, now_s), _FLAGS, 0o600)
        try:
            size = os.fstat(fd).st_size
            # A line that was cut short must not swallow the first of these.
            if size and os.pread(fd, 1, size - 1) != b"\n":
                data = b"\n" + data
            view = memoryview(data)
            while view:
                view = view[os.write(fd, view) :]
        finally:
            os.close(fd)

    def expire(self, now_s: float) -> None:
        """Delete what is too old. Raises OSError where that is refused."""
        for segment in segments(self._folder):
            try:
                if segment.path.stat().st_mtime < now_s - self._age_max_s:
                    segment.path.unlink()
            except FileNotFoundError:
                continue

    def _youngest(self, size: int, now_s: float) -> Path:
        """Return the segment for so many bytes, after the bounds hold again."""
        there = segments(self._folder)
        if there:
            last = there[-1]
            full = last.path.stat().st_size + size > self._segment_bytes
            # A segment is as old as its youngest span; this bounds how much older others are.
            aged = not 0 <= now_s - last.began_s <= self._age_max_s / 8
            if not (full or aged):
                return last.path
        for segment in there[: max(0, len(there) - self._segments_max + 1)]:
            segment.path.unlink(missing_ok=True)
        self.expire(now_s)
        number = there[-1].number + 1 if there else 1
        return self._folder / f"spans-{number:06d}-{max(0, int(now_s))}.jsonl"
