"""Progress of a load test on stderr: one line that rewrites itself, or a line now and then."""

from typing import TYPE_CHECKING, TextIO

from mainstay.control.load.text import progress_text

if TYPE_CHECKING:
    from mainstay.control.load import Progress

LINES_EVERY_S = 5.0
_CLEAR = "\r\x1b[K"


def progress_on(stream: TextIO, *, quiet: bool) -> "Line | Lines | None":
    """Return what shows progress on ``stream``, or None where nothing shall."""
    if quiet:
        return None
    return Line(stream) if stream.isatty() else Lines(stream)


class Line:
    """One line of a terminal, written over; the report that follows takes its place."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def show(self, progress: "Progress") -> None:
        """Show how it is going."""
        self._stream.write(_CLEAR + progress_text(progress))
        self._stream.flush()

    def end(self) -> None:
        """Leave an empty line for what comes next."""
        self._stream.write(_CLEAR)
        self._stream.flush()


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
        self._stream.write(progress_text(progress) + "\n")
        self._stream.flush()

    def end(self) -> None:
        """Nothing is left to take away."""
