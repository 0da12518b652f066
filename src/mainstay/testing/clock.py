"""A clock that stands still until the test moves it."""

import asyncio
import math
import threading

START_MONOTONIC_S = 1_000.0
"""Not zero: code that mistakes the moment 0.0 for "never" would pass by luck."""

START_WALL_S = 1_767_225_600.0
"""2026-01-01T00:00:00Z: a fixed day, so that a test never depends on the day it runs."""


class VirtualClock:
    """Implements ``core.clock.Clock``; time moves by ``advance`` and ``sleep`` alone.

    Moving it moves both readings. ``set_wall`` moves only the wall's, as an operator or NTP does
    to a machine; the monotonic one never goes back. Safe to share between threads.

    Args:
        monotonic_s: The first monotonic reading, in seconds; its zero means nothing.
        wall_s: The first wall reading, in seconds since 1970-01-01 UTC.
    """

    __slots__ = ("_lock", "_monotonic_s", "_wall_offset_s")

    def __init__(
        self, *, monotonic_s: float = START_MONOTONIC_S, wall_s: float = START_WALL_S
    ) -> None:
        self._lock = threading.Lock()
        self._monotonic_s = _finite(monotonic_s, "monotonic_s")
        self._wall_offset_s = _finite(wall_s, "wall_s") - monotonic_s

    @staticmethod
    def running() -> "VirtualClock":
        """Return the clock of the virtual loop that runs the caller.

        Raises:
            RuntimeError: No loop runs here, or it is not a virtual one.
        """
        clock = getattr(asyncio.get_running_loop(), "clock", None)
        if not isinstance(clock, VirtualClock):
            raise RuntimeError("the running loop has real time: start it with run_virtual()")  # noqa: TRY004  It is the situation that is wrong, no argument's type.
        return clock

    def monotonic_s(self) -> float:
        """Return the virtual monotonic seconds."""
        return self._monotonic_s

    def wall_s(self) -> float:
        """Return the virtual seconds since 1970-01-01 UTC."""
        with self._lock:
            return self._monotonic_s + self._wall_offset_s

    def advance(self, seconds: float) -> None:
        """Move both readings by ``seconds``, which is finite and not negative.

        Raises:
            ValueError: ``seconds`` is negative, infinite or no number.
        """
        if _finite(seconds, "seconds") < 0:
            raise ValueError(f"time cannot go back by {-seconds} s: set_wall() sets the wall back")
        with self._lock:
            self._monotonic_s += seconds

    def advance_to(self, monotonic_s: float) -> None:
        """Move both readings until the monotonic one is exactly this; a past moment moves nothing.

        To ``advance`` by a difference may miss the moment by a rounding.

        Raises:
            ValueError: The moment is infinite or no number.
        """
        _finite(monotonic_s, "monotonic_s")
        with self._lock:
            self._monotonic_s = max(self._monotonic_s, monotonic_s)

    def sleep(self, seconds: float) -> None:
        """Stand in for ``time.sleep`` in synchronous code: ``advance``, without waiting."""
        self.advance(seconds)

    def set_wall(self, wall_s: float) -> None:
        """Set the wall's reading, forward or back; the monotonic one stays as it is."""
        with self._lock:
            self._wall_offset_s = _finite(wall_s, "wall_s") - self._monotonic_s


def _finite(value: float, name: str) -> float:
    if not math.isfinite(value):
        raise ValueError(f"{name} is {value}: a moment is a finite number of seconds")
    return value
