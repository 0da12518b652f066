"""How many lines a logger may write: a flood of one kind drowns no other, and is counted."""

import os
import threading
import weakref
from typing import Final, NamedTuple

from mainstay.core.limits import NEVER_S, gcra

LOGGERS_MAX = 1024
"""So many names of loggers are counted apart; further ones share one bucket."""

OTHERS = "(others)"


class Dropped(NamedTuple):
    """How many lines of one logger and level were dropped since it was last told."""

    logger: str
    level: int
    lines: int


class _Bucket:
    """One logger's lines of one level."""

    __slots__ = ("dropped", "due_s")

    def __init__(self) -> None:
        self.due_s = NEVER_S
        self.dropped = 0


class Burst:
    """Bounds the lines of each logger and level; see ``core.limits.gcra``. Safe for threads.

    Args:
        rate_per_s: Lines a second in the long run, above 0.
        burst: Lines at once after a pause, from 1; None takes what one second has.

    Attributes:
        dropping: Whether something was dropped since ``take``.
        dropped: How many lines in all.
    """

    __slots__ = ("__weakref__", "_buckets", "_burst", "_every_s", "_lock", "dropped", "dropping")

    def __init__(self, rate_per_s: float, *, burst: int | None = None) -> None:
        self._every_s = 1 / rate_per_s
        self._burst = max(1, int(rate_per_s)) if burst is None else burst
        self._buckets: dict[tuple[str, int], _Bucket] = {}
        self._lock = threading.RLock()
        self.dropping = False
        self.dropped = 0
        _bursts.add(self)

    def lets(self, logger: str, level: int, now_s: float) -> bool:
        """Return whether a line may be written; one that may not is counted.

        Args:
            logger: Its name.
            level: Of the line.
            now_s: Monotonic.
        """
        bucket = self._buckets.get((logger, level)) or self._bucket(logger, level)
        due_s = bucket.due_s
        if due_s <= now_s:
            # An empty bucket, as nearly always: what ``gcra`` would say, for a tenth of the time.
            bucket.due_s = now_s + self._every_s
            return True
        bucket.due_s, answer = gcra(due_s, now_s, self._every_s, self._burst)
        if not answer.allowed:
            with self._lock:
                bucket.dropped += 1
                self.dropped += 1
                self.dropping = True
        return answer.allowed

    def take(self) -> list[Dropped]:
        """Return what was dropped since it was last told, and count anew."""
        with self._lock:
            self.dropping = False
            told = [
                Dropped(logger, level, bucket.dropped)
                for (logger, level), bucket in self._buckets.items()
                if bucket.dropped
            ]
            for bucket in self._buckets.values():
                bucket.dropped = 0
        return told

    def begin_anew(self) -> None:
        """Be as new, as a process that forked off is: what its parent dropped, that will tell."""
        self._lock = threading.RLock()
        self.dropping = False
        self.dropped = 0
        for bucket in self._buckets.values():
            bucket.dropped = 0

    def _bucket(self, logger: str, level: int) -> _Bucket:
        with self._lock:
            if len(self._buckets) >= LOGGERS_MAX:
                logger = OTHERS
            return self._buckets.setdefault((logger, level), _Bucket())


_bursts: Final[weakref.WeakSet[Burst]] = weakref.WeakSet()


def _after_fork() -> None:
    for burst in list(_bursts):
        burst.begin_anew()


os.register_at_fork(after_in_child=_after_fork)
