"""Where an asynchronous call waits: for a slot of the bulkhead, and for its turn of the rate."""

import asyncio
from asyncio import AbstractEventLoop

from mainstay.core.errors import BulkheadFull
from mainstay.service.outbound.context import current_key
from mainstay.service.outbound.course import INFINITE, emit, no_time
from mainstay.service.outbound.events import Rejected
from mainstay.service.outbound.plan import Plan
from mainstay.service.outbound.shells.sync_waits import check_turn, give_turn_back


class _TaskWaiter:
    """A task that waits for a slot, which any thread may grant."""

    __slots__ = ("_loop", "future", "key")

    def __init__(self, loop: AbstractEventLoop, key: str | None) -> None:
        self._loop = loop
        self.future: asyncio.Future[bool] = loop.create_future()
        self.key = key

    def grant(self) -> None:
        """Let the task go on."""
        try:
            running = asyncio.get_running_loop()
        except RuntimeError:
            running = None
        if running is self._loop:
            self.settle(granted=True)
            return
        try:
            self._loop.call_soon_threadsafe(self._settle_granted)
        except RuntimeError:
            # Its loop was closed in between; who left it there loses the slot with it.
            return

    def settle(self, *, granted: bool) -> None:
        """Say how the wait ended; the first word counts."""
        if not self.future.done():
            self.future.set_result(granted)

    def _settle_granted(self) -> None:
        self.settle(granted=True)


async def wait_for_slot(plan: Plan, until_s: float) -> str | None:
    """Take a slot of the bulkhead, waiting where that is allowed; return the key it counts by.

    Raises:
        BulkheadFull: All slots are taken, and so is the queue, or the wait was too long.
    """
    slots = plan.slots
    assert slots is not None, "only asked with a bulkhead"
    loop = asyncio.get_running_loop()
    waiter = _TaskWaiter(loop, current_key() if slots.keyed else None)
    if slots.join(waiter):
        if waiter.future.done():
            return waiter.key
        wait_s = float(slots.options.wait)
        if until_s != INFINITE:
            wait_s = max(0.0, min(wait_s, until_s - plan.now()))
        timer = loop.call_later(wait_s, lambda: waiter.settle(granted=False))
        try:
            if await waiter.future:
                return waiter.key
        except BaseException:
            # Cancelled; a slot that was granted in the same moment would be lost for ever.
            if not slots.leave(waiter):
                slots.give_back(waiter.key)
            raise
        finally:
            timer.cancel()
        if not slots.leave(waiter):
            return waiter.key
    if until_s <= plan.now():
        raise no_time(plan, 0.0)
    emit(plan, Rejected, by="bulkhead", retry_after_s=None)
    raise BulkheadFull(plan.name, None)


async def wait_for_turn(plan: Plan, took_s: float, wait_s: float, until_s: float) -> None:
    """Wait for a turn of the rate limit, as the synchronous one does.

    Raises:
        RateLimited: It is too early, and the wait would be too long.
        DeadlineExceeded: The deadline comes before the turn.
    """
    check_turn(plan, wait_s, until_s)
    try:
        await asyncio.sleep(wait_s)
    except BaseException:
        # Cancelled: the turn is somebody else's.
        give_turn_back(plan, took_s + wait_s)
        raise
