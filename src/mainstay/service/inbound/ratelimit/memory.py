"""Limits in the memory of the process: the arithmetic of ``core.limits``, without its objects.

Taking from one limit is on the way of every request, so it is written out here; a test holds it to
``gcra``, number by number.
"""

import threading
from collections.abc import Sequence

from mainstay.core.limits import SLACK_CALLS
from mainstay.service.inbound.ratelimit.buckets import Buckets

BUCKETS_MAX = 100_000
"""Callers of one process that are counted exactly, over all of its limits: 25 MB at the most. Who
has more at once has a store; without one, the others share buckets."""


class Rule:
    """The numbers of one limit, and its buckets.

    Args:
        every_s: Seconds between two calls at the limit's rate; above 0.
        burst: Calls at once after a pause, from 1.
        buckets_max: Callers that are counted exactly.

    Attributes:
        full_s: Seconds until a full bucket is empty.
        slack_s: A call passes this much early; see ``core.limits``.
    """

    __slots__ = ("buckets", "burst", "every_s", "full_s", "slack_s")

    def __init__(self, *, every_s: float, burst: int, buckets_max: int) -> None:
        self.buckets = Buckets(buckets_max)
        self.change(every_s=every_s, burst=burst)

    def change(self, *, every_s: float, burst: int) -> None:
        """Take other numbers. Of two threads, one may pass by an old number and a new one."""
        self.every_s = every_s
        self.burst = burst
        self.full_s = every_s * burst
        self.slack_s = every_s * SLACK_CALLS

    def remaining(self, held_s: float) -> int:
        """Return the calls that would pass now, of a bucket that is empty in ``held_s``."""
        return int((self.full_s - held_s) / self.every_s + SLACK_CALLS)


Take = tuple[Rule, str, int]
"""A call out of one limit: which one, whose bucket, and as how many calls it counts, from 1 to the
burst. Not a class of its own, whose making would cost as much as the taking."""


class Memory:
    """Takes calls out of limits. Shared by tasks, threads and loops.

    One lock for all: it is held for a third of a microsecond, and a call takes from all of its
    limits or from none.
    """

    __slots__ = ("_acquire", "_release")

    def __init__(self) -> None:
        lock = threading.Lock()
        self._acquire, self._release = lock.acquire, lock.release

    def take(self, rule: Rule, key: str, cost: int, now_s: float) -> float:
        """Take one call out of one limit.

        Args:
            rule: The limit.
            key: Whose bucket.
            cost: As how many calls it counts.
            now_s: Monotonic; one that was set back costs no more than a full bucket.

        Returns:
            The seconds until the bucket is empty, from 0; or, where the call may not pass, minus
            the seconds until it would.
        """
        buckets = rule.buckets
        # As `with self._lock`, in half the time: for every request.
        acquire, release = self._acquire, self._release
        acquire()
        try:
            due_s = buckets.dues.get(key)
            known = due_s is not None
            if due_s is None:
                due_s = buckets.due_s(key)
            if due_s <= now_s:
                due_s = now_s
            elif due_s - now_s > rule.full_s:
                # The clock was set back. The bucket is full, and begins to empty.
                due_s = now_s + rule.full_s
                buckets.put(key, due_s, now_s)
            taken_s = rule.every_s * cost
            wait_s = (due_s - now_s) + taken_s - rule.full_s
            if wait_s > rule.slack_s:
                return -wait_s
            due_s += taken_s
            if known:
                buckets.dues[key] = due_s
            else:
                buckets.add(key, due_s, now_s)
            return due_s - now_s
        finally:
            release()

    def take_all(self, takes: Sequence[Take], now_s: float) -> list[float]:
        """Take one call out of several limits, or out of none.

        Args:
            takes: The limits; each bucket once.
            now_s: As in ``take``.

        Returns:
            For each what ``take`` would return; where one may not pass, nothing was taken, and the
            others' are the seconds until they are empty as they were.
        """
        dues, held, refused = [], [], False
        self._acquire()
        try:
            for rule, key, cost in takes:
                due_s = rule.buckets.due_s(key)
                if due_s <= now_s:
                    due_s = now_s
                elif due_s - now_s > rule.full_s:
                    due_s = now_s + rule.full_s
                    rule.buckets.put(key, due_s, now_s)
                wait_s = (due_s - now_s) + rule.every_s * cost - rule.full_s
                late = wait_s > rule.slack_s
                refused = refused or late
                dues.append(due_s)
                held.append(-wait_s if late else due_s - now_s)
            if not refused:
                for index, (rule, key, cost) in enumerate(takes):
                    due_s = dues[index] + rule.every_s * cost
                    rule.buckets.put(key, due_s, now_s)
                    held[index] = due_s - now_s
        finally:
            self._release()
        return held

    def give_back(self, takes: Sequence[Take], dues_s: Sequence[float], now_s: float) -> None:
        """Undo a ``take_all`` that took, since the call did not pass elsewhere.

        Args:
            takes: As they were given to it.
            dues_s: When each bucket was empty after it.
            now_s: The present. A bucket that has been empty meanwhile stays as it is: the call has
                run out of it, and what is in it now is others'.
        """
        self._acquire()
        try:
            for (rule, key, cost), due_s in zip(takes, dues_s, strict=True):
                if now_s < due_s:
                    rule.buckets.give_back(key, rule.every_s * cost)
        finally:
            self._release()

    def learn(self, rule: Rule, key: str, held_s: float, now_s: float) -> None:
        """Note that a bucket is at least as full as a store, which counts for all, says.

        Args:
            rule: The limit.
            key: Whose bucket.
            held_s: Seconds until the store's is empty.
            now_s: As in ``take``.
        """
        due_s = now_s + held_s
        self._acquire()
        try:
            if rule.buckets.due_s(key) < due_s:
                rule.buckets.put(key, due_s, now_s)
        finally:
            self._release()
