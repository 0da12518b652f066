"""The queue before the limit: bounded, by priority, newest first under overload. No clock, no I/O.

Source: B. Maurer, "Fail at Scale", ACM Queue 13(8), 2015: adaptive LIFO, and the bound of the wait
after CoDel (K. Nichols, V. Jacobson, "Controlling Queue Delay", ACM Queue 10(5), 2012). A short
queue is a burst and is worked off in order. A queue that does not get empty is overload: its oldest
have waited so long that nobody may be waiting for them any more, and to serve the newest keeps
some fast in place of making all of them slow.
"""

import math
from collections import OrderedDict
from typing import Protocol

from mainstay.service.inbound.admission.priorities import NOBODY

_SHORT_WAIT = 20
"""Under overload the longest wait is so many times shorter: 100 ms and 5 ms in the source."""


class Waiter(Protocol):
    """A request that waits, in a task or in a thread.

    Attributes:
        priority: 0 to 3; 0 is critical.
        granted: None while it waits; then whether it may go on.
    """

    priority: int
    granted: bool | None

    def settle(self, *, granted: bool) -> bool:
        """Say how the wait ended, once, from any thread; False: nobody is there to hear it."""
        ...


class Queue:
    """Those that wait. Whoever calls holds a lock.

    Args:
        size: How many may wait.
        wait_s: The longest wait, and the time after which a queue that stands is overload.
        calm_s: A queue in which nobody has waited longer than this does not stand. Where places are
            as few as threads, somebody nearly always waits for one, and not for long.

    Attributes:
        head: Priority of the most important one that waits; ``NOBODY`` where none does.
    """

    __slots__ = ("_by_priority", "_calm_s", "_count", "_size", "_stands_since_s", "_wait_s", "head")

    def __init__(self, size: int, wait_s: float, calm_s: float = 0.0) -> None:
        self._size = size
        self._wait_s = wait_s
        self._calm_s = calm_s
        # Since when, by priority, oldest first. Ordered: taking the oldest of a plain dict gets
        # ever slower.
        self._by_priority = tuple(OrderedDict[Waiter, float]() for _ in range(NOBODY))
        self._count = 0
        self._stands_since_s = math.inf
        self.head = NOBODY

    def __len__(self) -> int:
        return self._count

    def overloaded(self, now_s: float) -> bool:
        """Return whether somebody has waited (for ``calm_s``) at every moment of ``wait_s``."""
        return now_s - self._stands_since_s >= self._wait_s

    def wait_s(self, now_s: float) -> float:
        """Return how long one that comes now may wait."""
        return self._wait_s / _SHORT_WAIT if self.overloaded(now_s) else self._wait_s

    def join(self, waiter: Waiter, now_s: float) -> Waiter | None:
        """Let one more wait, and return who can't therefore: None, another, or it itself.

        Of a full queue, the oldest of the least important goes, unless the new one is no more
        important than that.
        """
        evicted = None
        if self._count >= self._size:
            lowest = NOBODY - 1
            while lowest > waiter.priority and not self._by_priority[lowest]:
                lowest -= 1
            if lowest <= waiter.priority:
                return waiter
            evicted = next(iter(self._by_priority[lowest]))
        if not self._count:
            self._stands_since_s = now_s + self._calm_s
        self._by_priority[waiter.priority][waiter] = now_s
        self._count += 1
        self.head = min(self.head, waiter.priority)
        if evicted is not None:
            # Only now, so that a queue of one has not been empty in between.
            self.remove(evicted)
        return evicted

    def take(self, now_s: float) -> Waiter:
        """Take who is next out of a queue that isn't empty."""
        newest = self.overloaded(now_s)
        waiter, _ = self._by_priority[self.head].popitem(last=newest)
        self._less()
        if self._calm_s and self._count:
            oldest_s = min(next(iter(each.values())) for each in self._by_priority if each)
            if now_s - oldest_s < self._calm_s:
                self._stands_since_s = oldest_s + self._calm_s
        return waiter

    def remove(self, waiter: Waiter) -> None:
        """Take out one that waits no more.

        Raises:
            KeyError: It did not wait here.
        """
        del self._by_priority[waiter.priority][waiter]
        self._less()

    def _less(self) -> None:
        self._count -= 1
        if not self._count:
            self._stands_since_s = math.inf
        while self.head < NOBODY and not self._by_priority[self.head]:
            self.head += 1
