"""Running one attempt that is more than a call: subject to faults, or hedged by a second one.

The first attempt stays in the caller's task, so that what it sets in context variables is kept.
The second runs in a task of its own. If it answers first, the first is cancelled the way a timeout
does it: the caller's task is cancelled, and that cancellation is taken back here.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from mainstay.service.outbound.course import emit
from mainstay.service.outbound.events import BudgetSpent, HedgeStarted, HedgeWon
from mainstay.service.outbound.hedge import delay_s
from mainstay.service.outbound.plan import Plan


async def run_special(
    plan: Plan, fn: Callable[..., Awaitable[Any]], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Await ``fn``, hedged and with faults as the plan says.

    Any: arguments and results are the user's.
    """

    async def attempt() -> Any:
        if plan.fault is not None:
            wait_s, error = plan.fault.befall()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            if error is not None:
                raise error
        return await fn(*args, **kwargs)

    after_s = None if plan.hedge is None else delay_s(plan.hedge, plan.latency)
    if after_s is None:
        return await attempt()
    return await _Race(plan, attempt, after_s).run()


class _Race:
    """One attempt and, when it is slow, a second one beside it."""

    def __init__(self, plan: Plan, attempt: Callable[[], Awaitable[Any]], after_s: float) -> None:
        # Any: what the attempts return is the user's.
        self._plan = plan
        self._attempt = attempt
        self._after_s = after_s
        self._second: asyncio.Task[Any] | None = None
        self._first_over = False
        self._won = False

    async def run(self) -> Any:
        """Return the first answer; raise the first attempt's error when there is none."""
        task = asyncio.current_task()
        assert task is not None, "coroutines run in tasks"
        self._task = task
        cancelling = task.cancelling()
        timer = asyncio.get_running_loop().call_later(self._after_s, self._begin)
        try:
            answer = await self._attempt()
        except asyncio.CancelledError:
            self._first_over = True
            if self._won and task.uncancel() <= cancelling:
                assert self._second is not None, "the winner is a task"
                return self._second.result()
            await self._end_second()
            raise
        except BaseException as error:
            self._first_over = True
            self._take_back(cancelling)
            if self._second is None or not isinstance(error, Exception):
                await self._end_second()
                raise
            return await self._second_instead(error)
        else:
            self._first_over = True
            self._take_back(cancelling)
            await self._end_second()
            return answer
        finally:
            timer.cancel()

    def _begin(self) -> None:
        plan = self._plan
        if plan.budget is not None and not plan.budget.spend(plan.now()):
            emit(plan, BudgetSpent, by="hedge")
            return
        emit(plan, HedgeStarted, after_s=self._after_s)
        self._second = asyncio.ensure_future(self._attempt())
        self._second.add_done_callback(self._second_done)

    def _second_done(self, second: "asyncio.Task[Any]") -> None:
        if self._first_over or second.cancelled() or second.exception() is not None:
            # Its failure, once looked at, is no news: the first attempt decides.
            return
        self._won = True
        emit(self._plan, HedgeWon)
        self._task.cancel()

    def _take_back(self, cancelling: int) -> None:
        """Forget the cancellation that the first attempt did not live to see."""
        if self._won and self._task.cancelling() > cancelling:
            self._task.uncancel()

    async def _second_instead(self, error: Exception) -> Any:
        """Return the second's answer after the first one failed, or raise the first's error."""
        second = self._second
        assert second is not None, "only asked with a second"
        try:
            await asyncio.wait([second])
        except asyncio.CancelledError:
            await self._end_second()
            raise
        if second.cancelled() or second.exception() is not None:
            raise error
        return second.result()

    async def _end_second(self) -> None:
        """Cancel the second attempt and wait for its end: none goes on behind the caller's back."""
        second = self._second
        if second is None or second.done():
            return
        second.cancel()
        await asyncio.wait([second])
