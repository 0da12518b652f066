"""Calls and failures of the last while, in constant space."""

import math


class FailureShare:
    """Counts over a sliding window in two halves: the running one and the one before.

    So the window covers between half of its length and all of it. That is coarse, and enough to
    tell an endpoint that fails; it costs five numbers and no memory per call. Times given to it
    don't go back, and the window is always the same.
    """

    __slots__ = ("_calls", "_calls_before", "_failures", "_failures_before", "_until_s")

    def __init__(self) -> None:
        self._until_s = -math.inf
        self.clear()

    def record(self, failures: int, now_s: float, window_s: float) -> None:
        """Count one call, with 1 failure or 0."""
        if now_s >= self._until_s:
            self._turn(now_s, window_s)
        self._calls += 1
        self._failures += failures

    def counts(self, now_s: float, window_s: float) -> tuple[int, int]:
        """Return the calls and the failures in the window."""
        if now_s >= self._until_s:
            self._turn(now_s, window_s)
        return self._calls + self._calls_before, self._failures + self._failures_before

    def clear(self) -> None:
        """Forget every call."""
        self._calls = self._failures = 0
        self._calls_before = self._failures_before = 0

    def _turn(self, now_s: float, window_s: float) -> None:
        """Begin a half. Halves begin at multiples of their length, so all members' together."""
        half_s = window_s / 2
        latest = now_s < self._until_s + half_s
        self._calls_before = self._calls if latest else 0
        self._failures_before = self._failures if latest else 0
        self._calls = self._failures = 0
        self._until_s = (now_s // half_s + 1) * half_s
