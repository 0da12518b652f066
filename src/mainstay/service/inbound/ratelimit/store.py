"""A store that counts for all replicas together: what one has to do, and whether it is there."""

import threading
from collections.abc import Sequence
from typing import Protocol

from mainstay.core.clock import Clock
from mainstay.core.events import Listeners
from mainstay.core.limits import Answers, Ask
from mainstay.service.inbound.ratelimit.events import LimitStoreBack, LimitStoreLost


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

    Args:
        service: Named in events.
        clock: For the time of events.
        events: Told about each change.

    Attributes:
        period: Counts the changes. Who asks the store remembers it: what it then hears counts only
            where nothing has changed meanwhile, so that late answers don't tell of old times.
    """

    __slots__ = ("_clock", "_events", "_lock", "_service", "away", "period")

    def __init__(self, *, service: str, clock: Clock, events: Listeners) -> None:
        self.away = False
        self.period = 0
        self._service = service
        self._clock = clock
        self._events = events
        self._lock = threading.Lock()

    def lost(self, period: int) -> None:
        """Note that a call which began in ``period`` found nobody."""
        if not self.away and self._changed(period, away=True) and self._events.listening:
            self._events.emit(LimitStoreLost(at_s=self._clock.wall_s(), service=self._service))

    def found(self, period: int) -> None:
        """Note that a call which began in ``period`` was answered, while the store was away."""
        if self.away and self._changed(period, away=False) and self._events.listening:
            self._events.emit(LimitStoreBack(at_s=self._clock.wall_s(), service=self._service))

    def _changed(self, period: int, *, away: bool) -> bool:
        with self._lock:
            if self.period != period:
                return False
            self.period += 1
            self.away = away
            return True
