"""The time of a line, with which it begins. What a second's lines share is made once."""

import math

from mainstay.core.clock import utc_text

_MILLIS = tuple(f".{millis:03d}Z".encode() for millis in range(1000))
"""Looked up for half of what formatting a number costs."""


class Stamp:
    """Makes RFC 3339 texts in UTC with milliseconds, as bytes. Safe to share between threads.

    Args:
        before: What stands before each text.
    """

    __slots__ = ("_before", "_second")

    def __init__(self, before: bytes = b"") -> None:
        self._before = before
        # (whole second, its text up to the point): one tuple, so that threads see both or neither.
        # All are floats, since CPython is slow at sums of two kinds.
        self._second = (0.0, before + b"1970-01-01T00:00:00")

    def text(self, wall_s: float) -> bytes:
        """Return ``2026-01-31T12:00:00.123Z``, and before it what stands there.

        Args:
            wall_s: Seconds since 1970 in UTC.
        """
        second, text = self._second
        fraction_s = wall_s - second
        if not 0.0 <= fraction_s < 1.0:
            second = float(math.floor(wall_s))
            text = self._before + utc_text(second)[:19].encode()
            self._second = (second, text)
            fraction_s = wall_s - second
        return text + _MILLIS[int(fraction_s * 1000.0)]
