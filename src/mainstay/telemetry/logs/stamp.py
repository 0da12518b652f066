"""The time of a line, as text. What a second's lines share is made once."""

import math

from mainstay.core.clock import utc_text

_MICROS = 1_000_000


class Stamp:
    """Makes RFC 3339 texts in UTC with microseconds. Safe to share between threads."""

    __slots__ = ("_second",)

    def __init__(self) -> None:
        # (whole second, its text up to the point): one tuple, so that threads see both or neither.
        self._second = (0, "1970-01-01T00:00:00")

    def text(self, wall_s: float) -> str:
        """Return ``2026-01-31T12:00:00.123456Z``.

        Args:
            wall_s: Seconds since 1970 in UTC.
        """
        whole_s = math.floor(wall_s)
        second, text = self._second
        if second != whole_s:
            text = utc_text(whole_s)[:19]
            self._second = (whole_s, text)
        return f"{text}.{int((wall_s - whole_s) * _MICROS):06d}Z"
