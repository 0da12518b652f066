"""Sliding windows that count calls, and how many of them were hits; O(1) a call, and bounded."""

import math
from typing import Protocol

SLICES = 10
"""A window of time moves in steps of a tenth: its memory does not grow with the traffic."""

CALLS_MAX = 100_000
"""No window of calls is longer; each call in it takes a byte."""

_NEVER = -(2**62)
"""The slice before any: the next call decides where the window is."""


class Window(Protocol):
    """Counts the recent calls. ``hits`` are those that failed, or were slow: the owner's word."""

    calls: int
    hits: int

    @property
    def ignores_misses(self) -> bool:
        """Whether a call that is no hit would change nothing, so that it need not be told."""
        ...

    def record(self, hit: bool, now_s: float) -> None:  # noqa: FBT001  By position: for every call.
        """Count one call; ``now_s`` is monotonic."""
        ...

    def advance(self, now_s: float) -> None:
        """Forget what is too old at ``now_s``."""
        ...

    def fold(self) -> None:
        """Take into ``calls`` what was counted elsewhere."""
        ...

    def clear(self) -> None:
        """Forget everything."""
        ...


class CountWindow:
    """The last ``size`` calls.

    Args:
        size: In 1..CALLS_MAX.
    """

    __slots__ = ("_next", "_ring", "calls", "hits")

    def __init__(self, size: int) -> None:
        assert 1 <= size <= CALLS_MAX
        self._ring = bytearray(size)
        self._next = 0
        self.calls = 0
        self.hits = 0

    def record(self, hit: bool, now_s: float) -> None:  # noqa: FBT001  By position: for every call.
        """Count one call in the place of the oldest."""
        del now_s
        at = self._next
        self.hits += hit - self._ring[at]
        self._ring[at] = hit
        self._next = at + 1 if at + 1 < len(self._ring) else 0
        if self.calls < len(self._ring):
            self.calls += 1

    @property
    def ignores_misses(self) -> bool:
        """Whether it is full of misses: another one in the place of the oldest is the same."""
        return self.hits == 0 and self.calls == len(self._ring)

    def advance(self, now_s: float) -> None:
        """Nothing gets too old here: only calls move the window."""

    def fold(self) -> None:
        """Nothing is counted elsewhere."""

    def clear(self) -> None:
        """Forget everything."""
        self._ring = bytearray(len(self._ring))
        self._next = 0
        self.calls = 0
        self.hits = 0


class TimeWindow:
    """The calls of the last ``size_s`` seconds, in ten slices, of which the newest is not full.

    Time that goes back changes nothing: the call counts in the newest slice.

    Attributes:
        misses: How many calls that are no hits were counted here, in all, by whoever saw that it
            is not yet ``ends_s``. Without a lock: on an interpreter without a global one, threads
            that count at the same moment may lose one, so that there seem to be fewer calls.
        ends_s: When the newest slice ends, monotonic.
    """

    __slots__ = ("_at", "_calls", "_folded", "_hits", "_newest", "_slice_s", "calls",
                 "ends_s", "hits", "misses")  # fmt: skip

    def __init__(self, size_s: float) -> None:
        assert size_s > 0
        self._slice_s = size_s / SLICES
        self._calls = [0] * SLICES
        self._hits = [0] * SLICES
        self._newest = _NEVER
        self._at = 0
        self.calls = 0
        # So many of the misses are in their slices.
        self._folded = 0
        self.ends_s = -math.inf
        self.misses = 0
        self.hits = 0

    def record(self, hit: bool, now_s: float) -> None:  # noqa: FBT001  By position: for every call.
        """Count one call in the slice of ``now_s``."""
        if now_s >= self.ends_s:
            self.advance(now_s)
        elif self.misses != self._folded:
            self.fold()
        self._calls[self._at] += 1
        self.calls += 1
        if hit:
            self._hits[self._at] += 1
            self.hits += 1

    @property
    def ignores_misses(self) -> bool:
        """Whether a miss would change nothing: never, since it is one more call."""
        return False

    def advance(self, now_s: float) -> None:
        """Empty the slices that have left the window; at most ten, however long the pause."""
        self.fold()
        now = int(now_s // self._slice_s)
        for one in range(max(self._newest + 1, now - SLICES + 1), now + 1):
            at = one % SLICES
            self.calls -= self._calls[at]
            self.hits -= self._hits[at]
            self._calls[at] = self._hits[at] = 0
        self._newest = max(self._newest, now)
        self._at = self._newest % SLICES
        self.ends_s = (self._newest + 1) * self._slice_s

    def fold(self) -> None:
        """Put the misses that were counted without the lock into the slice in which they came."""
        misses = max(0, self.misses - self._folded)
        self._folded += misses
        self._calls[self._at] += misses
        self.calls += misses

    def clear(self) -> None:
        """Forget everything."""
        self._calls = [0] * SLICES
        self._hits = [0] * SLICES
        self._newest = _NEVER
        self._at = 0
        self.calls = 0
        self._folded = self.misses
        self.ends_s = -math.inf
        self.hits = 0
