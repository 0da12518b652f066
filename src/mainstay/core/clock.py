"""Time as an argument. The only module of Mainstay that reads a clock."""

import time
from typing import Protocol


class Clock(Protocol):
    """Where a component that acts gets its time from. Pure decisions take ``now_s`` instead."""

    def monotonic_s(self) -> float:
        """Return seconds that never go back; their zero means nothing. For durations."""
        ...

    def wall_s(self) -> float:
        """Return seconds since 1970-01-01 UTC. For people and records; it may jump."""
        ...


class SystemClock:
    """The machine's clock."""

    # The functions of the interpreter itself: a method around them would triple their cost.
    monotonic_s = staticmethod(time.monotonic)
    wall_s = staticmethod(time.time)


SYSTEM_CLOCK = SystemClock()
"""The one that is meant where nobody says: deadlines are compared without a conversion."""


def utc_text(wall_s: float) -> str:
    """Return ``wall_s`` as RFC 3339 in UTC with milliseconds: ``2026-01-31T12:00:00.000Z``."""
    whole_s = int(wall_s)
    millis = int((wall_s - whole_s) * 1000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole_s)) + f".{millis:03d}Z"


def pause(seconds: float) -> None:
    """Block the calling thread for so long. For what polls; never within an event loop."""
    time.sleep(seconds)
