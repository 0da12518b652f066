"""A store that counts for all replicas together: what one has to do, and whether it is there."""

import threading
from collections.abc import Sequence
from typing import Protocol

from mainstay.core.clock import Clock
from mainstay.core.events import Listeners
from mainstay.core.limits import Answers, Ask
from mainstay.service.inbound.ratelimit.events import LimitStoreBack, LimitStoreLost

SETTLED_S = 1.0
"""So long after the loss no answer is taken for the return: it may have been on its way. And so a
store that answers now and then makes no more than two events a second."""


class LimitStore(Protocol):
    """Counts for all replicas together; ``mainstay.state`` has one in Valkey.

    Both methods take from all buckets or from none, as ``core.limits.gcra_all`` does, and answer or
    raise StoreUnavailable within 50 ms; at once while they know that nobody is there.
    """

    def take(self, asks: Sequence[Ask]) -> Answers:
        """Take one call, in the caller's thread."""
        ...

    async def atake(self, asks: Sequence[Ask]) -> Answers:
        """Take one call, in the caller's task."""
        ...


class StorePresence:
    """Whether the store is there, as its callers find. Shared by tasks and threads.

    Only listeners are told: who asks doesn't look here first, since the store knows better.

    Args:
        service: Named in events.
        clock: For the time of events.
        events: Told about each change.

    Attributes:
        away: Whether it is away.
    """

    __slots__ = ("_clock", "_events", "_lock", "_lost_s", "_service", "away")

    def __init__(self, *, service: str, clock: Clock, events: Listeners) -> None:
        self.away = False
        self._lost_s = 0.0
        self._service = service
        self._clock = clock
        self._events = events
        self._lock = threading.Lock()

    def lost(self, now_s: float) -> None:
        """Note that a call was not answered; ``now_s`` is monotonic."""
        with self._lock:
            if self.away:
                return
            self.away, self._lost_s = True, now_s
        if self._events.listening:
            self._events.emit(LimitStoreLost(at_s=self._clock.wall_s(), service=self._service))

    def found(self, now_s: float) -> None:
        """Note that a call was answered, while the store is said to be away."""
        with self._lock:
            if not self.away or now_s - self._lost_s < SETTLED_S:
                return
            self.away = False
        if self._events.listening:
            self._events.emit(LimitStoreBack(at_s=self._clock.wall_s(), service=self._service))
