"""Progress of a load test on stderr: one line that rewrites itself, or a line now and then."""

import contextlib
from typing import TYPE_CHECKING, TextIO

from mainstay.control.load.text import progress_text

if TYPE_CHECKING:
    from mainstay.control.load import Progress

LINES_EVERY_S = 5.0
_CLEAR = "\r\x1b[K"


def progress_on(stream: TextIO | None, *, quiet: bool) -> "Line | Lines | None":
    """Return what shows progress on ``stream``, or None where nothing shall or can."""
    if quiet or stream is None:
        return None
    return Line(stream) if stream.isatty() else Lines(stream)


class Line:
    """One line of a terminal, written over; the report that follows takes its place."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def show(self, progress: "Progress") -> None:
        """Show how it is going."""
        _write(self._stream, _CLEAR + progress_text(progress))

    def end(self) -> None:
        """Leave an empty line for what comes next."""
        _write(self._stream, _CLEAR)


class Lines:
    """A line every five seconds, for logs."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._next_s = LINES_EVERY_S

    def show(self, progress: "Progress") -> None:
        """Show how it is going, if it is time."""
        if progress.elapsed_s < self._next_s:
            return
        self._next_s = progress.elapsed_s + LINES_EVERY_S
        _write(self._stream, progress_text(progress) + "\n")

    def end(self) -> None:
        """Nothing is left to take away."""


def _write(stream: TextIO, text: str) -> None:
    # Progress that nobody reads any more does not end the test.
    with contextlib.suppress(OSError):
        stream.write(text)
        stream.flush()
