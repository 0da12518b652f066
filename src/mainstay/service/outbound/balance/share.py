"""Calls and failures of the last while, in constant space."""


class FailureShare:
    """Counts over a sliding window in two halves: the running one and the one before.

    So the window covers between half of its length and all of it. That is coarse, and enough to
    tell an endpoint that fails; it costs five numbers and no memory per call.
    """

    __slots__ = ("_before", "_half", "_running")

    def __init__(self) -> None:
        self._half = 0
        self._running = (0, 0)
        self._before = (0, 0)

    def record(self, *, failed: bool, now_s: float, window_s: float) -> None:
        """Count one call. ``now_s`` must not go back, ``window_s`` must not change."""
        self._turn_to(int(now_s * 2 // window_s))
        calls, failures = self._running
        self._running = (calls + 1, failures + failed)

    def counts(self, *, now_s: float, window_s: float) -> tuple[int, int]:
        """Return the calls and the failures in the window."""
        self._turn_to(int(now_s * 2 // window_s))
        return self._running[0] + self._before[0], self._running[1] + self._before[1]

    def clear(self) -> None:
        """Forget every call."""
        self._running = self._before = (0, 0)

    def _turn_to(self, half: int) -> None:
        if half == self._half:
            return
        self._before = self._running if half == self._half + 1 else (0, 0)
        self._running = (0, 0)
        self._half = half
