"""Where a synchronous call waits: for a slot of the bulkhead, and for its turn of the rate."""

import threading

from mainstay.core.errors import BulkheadFull, RateLimited
from mainstay.service.outbound.context import current_key
from mainstay.service.outbound.course import emit, no_time
from mainstay.service.outbound.events import Rejected
from mainstay.service.outbound.plan import Plan


class _ThreadWaiter:
    """A thread that waits for a slot. The lock is held until the slot is granted."""

    __slots__ = ("granted", "key")

    def __init__(self, key: str | None) -> None:
        self.key = key
        self.granted = threading.Lock()
        self.granted.acquire()

    def grant(self) -> None:
        """Let the thread go on."""
        self.granted.release()


def wait_for_slot(plan: Plan, until_s: float) -> str | None:
    """Take a slot of the bulkhead, waiting where that is allowed; return the key it counts by.

    Raises:
        BulkheadFull: All slots are taken, and so is the queue, or the wait was too long.
    """
    slots = plan.slots
    assert slots is not None, "only asked with a bulkhead"
    waiter = _ThreadWaiter(current_key() if slots.keyed else None)
    if slots.join(waiter):
        wait_s = float(slots.options.wait)
        if until_s - plan.now() < wait_s:
            wait_s = max(0.0, until_s - plan.now())
        try:
            if waiter.granted.acquire(timeout=wait_s):
                return waiter.key
        except BaseException:
            # An interrupt; or a slot that came in the same moment would be lost for ever.
            if not slots.leave(waiter):
                slots.give_back(waiter.key)
            raise
        if not slots.leave(waiter):
            return waiter.key
    if until_s <= plan.now():
        raise no_time(plan, 0.0)
    emit(plan, Rejected, by="bulkhead", retry_after_s=None)
    raise BulkheadFull(plan.name, None)


def turn_s(plan: Plan, wait_s: float, until_s: float) -> float:
    """Return the seconds to wait for a turn of the rate limit that is not at once.

    Args:
        plan: The call's.
        wait_s: What the limiter said; below zero: the call may not wait so long.
        until_s: When the call must be done.

    Raises:
        RateLimited: It is too early, and the wait would be too long.
        DeadlineExceeded: The deadline comes before the turn.
    """
    if wait_s < 0:
        emit(plan, Rejected, by="rate_limit", retry_after_s=-wait_s)
        raise RateLimited(plan.name, -wait_s)
    now_s = plan.now()
    if now_s + wait_s >= until_s:
        raise no_time(plan, until_s - now_s)
    return wait_s
