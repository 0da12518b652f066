"""Where a synchronous call waits: for a slot of the bulkhead, and for its turn of the rate."""

import threading

from mainstay.core.errors import BulkheadFull, RateLimited
from mainstay.service.outbound.context import current_key
from mainstay.service.outbound.course import emit, no_time
from mainstay.service.outbound.events import Rejected
from mainstay.service.outbound.plan import Plan
from mainstay.service.outbound.ratelimit import NEVER


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


def wait_for_turn(plan: Plan, took_s: float, wait_s: float, until_s: float) -> None:
    """Wait for a turn of the rate limit that is not at once.

    Args:
        plan: The call's.
        took_s: When the limiter was asked.
        wait_s: What it said.
        until_s: When the call must be done.

    Raises:
        RateLimited: It is too early, and the wait would be too long.
        DeadlineExceeded: The deadline comes before the turn.
    """
    check_turn(plan, wait_s, until_s)
    try:
        plan.sleep(wait_s)
    except BaseException:
        # An interrupt: the turn is somebody else's.
        give_turn_back(plan, took_s + wait_s)
        raise


def check_turn(plan: Plan, wait_s: float, until_s: float) -> None:
    """Raise what it means that the limiter gave no turn, where it gave none.

    Raises:
        RateLimited: It is too early, and the wait would be too long.
        DeadlineExceeded: The deadline comes before the turn.
    """
    if wait_s < 0:
        emit(plan, Rejected, by="rate_limit", retry_after_s=-wait_s)
        raise RateLimited(plan.name, -wait_s)
    if wait_s == NEVER:
        raise no_time(plan, until_s - plan.now())


def give_turn_back(plan: Plan, turn_s: float) -> None:
    """Give a turn of the rate limit back whose call won't leave."""
    assert plan.limiter is not None, "only asked with a rate limit"
    plan.limiter.give_back(turn_s, plan.now())
