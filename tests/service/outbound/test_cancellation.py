"""Cancellation at every await: nothing is lost, nothing is counted, nothing goes on behind."""

import asyncio
import contextlib
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from mainstay import (
    AttemptTimeout,
    Breaker,
    Bulkhead,
    Deadline,
    Fallback,
    Hedge,
    Policy,
    RateLimit,
    Retry,
    deadline,
)
from mainstay.core.errors import DeadlineExceeded
from mainstay.core.scope import CURRENT
from mainstay.service.outbound.breaker.circuit import State
from mainstay.testing import VirtualClock, run_virtual

SUSPENSIONS_MAX = 200
Scenario = Callable[[], Coroutine[Any, Any, Any]]


class CancelAt:
    """Awaits a coroutine and throws a cancellation into it at its nth suspension.

    That is where a task's own cancellation arrives; here no suspension is missed, nor is one
    that lasts no time. ``fired`` tells whether there were so many.
    """

    def __init__(self, nth: int) -> None:
        self.nth = nth
        self.fired = False

    async def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return await _Driven(self, coroutine)


class _Driven:
    def __init__(self, at: CancelAt, coroutine: Coroutine[Any, Any, Any]) -> None:
        self.at = at
        self.coroutine = coroutine

    def __await__(self) -> Any:
        seen, sent = 0, None
        error: BaseException | None = None
        while True:
            try:
                waits = self.coroutine.send(sent) if error is None else self.coroutine.throw(error)
            except StopIteration as stop:
                return stop.value
            sent, error = None, None
            seen += 1
            if seen == self.at.nth:
                self.at.fired = True
                if waits is not None:
                    # What a task does with the future that it waits for.
                    waits._asyncio_future_blocking = False
                    waits.cancel()
                error = asyncio.CancelledError()
                continue
            try:
                sent = yield waits
            except BaseException as thrown:  # noqa: BLE001  Handed on into the coroutine.
                error = thrown


def everything(clock: VirtualClock, **parts: Any) -> Policy:
    return Policy(
        **{
            "deadline": Deadline("30s"),
            "bulkhead": Bulkhead(limit=2, queue=5, wait="20s"),
            "rate_limit": RateLimit(rate="2/s", burst=1, wait="20s"),
            "retry": Retry(attempts=3, backoff="1s..2s", jitter="equal"),
            "breaker": Breaker(failures=50, rate="90% of 50 in 60s"),
            "attempt_timeout": AttemptTimeout(within="3s"),
            "clock": clock,
            "seed": 3,
            **parts,
        }
    )


async def dependency(fails: list[int]) -> str:
    """Fail as often as is asked for, with an await before and after."""
    await asyncio.sleep(0.5)
    if fails[0]:
        fails[0] -= 1
        raise ConnectionError("away")
    await asyncio.sleep(0.5)
    return "answer"


async def held(policy: Policy, seconds: float) -> list["asyncio.Task[None]"]:
    """Take all slots of the policy for a while."""
    tasks = [asyncio.create_task(policy.acall(asyncio.sleep, seconds)) for _ in range(2)]
    await asyncio.sleep(0.6)
    return tasks


@pytest.mark.parametrize("shape", ["plain", "retries", "waits", "hedged", "fallback", "region"])
def test_wherever_it_is_cancelled_everything_is_given_back(shape: str) -> None:
    """For all n: cancel at the nth suspension, until there are no more."""

    async def once(nth: int) -> bool:
        clock = VirtualClock.running()
        hedge = Hedge(after="300ms") if shape == "hedged" else None
        fallback = Fallback(function=asleep_then) if shape == "fallback" else None
        policy = everything(clock, hedge=hedge, fallback=fallback)
        others = await held(policy, 2) if shape == "waits" else []
        before = policy.stats()
        tasks_before = asyncio.all_tasks()
        cancel = CancelAt(nth)
        fails = [2 if shape in {"retries", "waits"} else 9 if shape == "fallback" else 0]
        call: Coroutine[Any, Any, Any] = policy.acall(dependency, fails)
        if shape == "region":
            call.close()
            call = in_region(policy, fails)
        try:
            result = await cancel.run(call)
        except asyncio.CancelledError:
            assert cancel.fired
        else:
            assert not cancel.fired
            assert result in {"answer", "stand-in"}
        assert CURRENT.get() is None
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        await asyncio.gather(*others)
        # A task that it began is over, or is being ended in this turn.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert asyncio.all_tasks() <= tasks_before
        after = policy.stats()
        assert (after.in_flight, after.waiting) == (0, 0)
        assert policy.breaker.state is State.CLOSED
        assert (after.failures_in_a_row or 0) <= (before.failures_in_a_row or 0) + 3
        # Everything still works.
        assert await policy.acall(dependency, [0]) == "answer"
        return cancel.fired

    fired = 0
    for nth in range(1, SUSPENSIONS_MAX):
        if not run_virtual(once(nth)):
            break
        fired += 1
    else:
        raise AssertionError("the call never ended")
    assert fired >= 2, "the scenario suspends at least twice"


async def asleep_then(fails: list[int]) -> str:
    await asyncio.sleep(0.1)
    return "stand-in"


async def in_region(policy: Policy, fails: list[int]) -> str:
    async with policy:
        return await dependency(fails)


def test_a_cancelled_probe_gives_its_place_back_at_every_await() -> None:
    async def once(nth: int) -> bool:
        clock = VirtualClock.running()
        policy = Policy(
            breaker=Breaker(failures=1, open="1s", successes=1, lease="1h"),
            attempt_timeout=AttemptTimeout(within="5s"),
            clock=clock,
        )
        with pytest.raises(ConnectionError):
            await policy.acall(dependency, [1])
        await asyncio.sleep(1)
        cancel = CancelAt(nth)
        try:
            await cancel.run(policy.acall(dependency, [0]))
        except asyncio.CancelledError:
            assert policy.breaker.state is State.HALF_OPEN
        assert await policy.acall(dependency, [0]) == "answer"
        assert policy.breaker.state is State.CLOSED
        return cancel.fired

    assert [run_virtual(once(nth)) for nth in (1, 2, 3)] == [True, True, False]


def test_a_cancellation_from_outside_beside_a_deadline_is_a_cancellation() -> None:
    """Both in one turn: who asked from outside must see its own request."""

    async def scenario() -> None:
        clock = VirtualClock.running()
        policy = Policy(attempt_timeout=AttemptTimeout(within="1s"), clock=clock)
        call = asyncio.create_task(policy.acall(asyncio.sleep, 10))
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_later(1.0, call.cancel)
        with pytest.raises(asyncio.CancelledError):
            await call
        assert call.cancelled()

    run_virtual(scenario())


def test_a_call_that_swallows_the_cancellation_of_its_deadline_has_its_answer() -> None:
    """And the task is not left as one that is to be cancelled."""

    async def scenario() -> None:
        policy = Policy(attempt_timeout=AttemptTimeout(within="1s"), clock=VirtualClock.running())

        async def stubborn() -> str:
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                return "late answer"
            return "never"

        assert await policy.acall(stubborn) == "late answer"
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        await asyncio.sleep(1)

    run_virtual(scenario())


def test_deadlines_of_two_layers_that_end_together_are_both_told() -> None:
    async def scenario() -> None:
        clock = VirtualClock.running()
        policy = Policy(attempt_timeout=AttemptTimeout(within="1s"), clock=clock)
        with pytest.raises(TimeoutError):
            async with deadline("1s", clock=clock):
                await policy.acall(asyncio.sleep, 10)
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0

    run_virtual(scenario())


def test_a_timeout_of_the_standard_library_around_a_policy_still_works() -> None:
    async def scenario() -> None:
        policy = everything(VirtualClock.running())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.4):
                await policy.acall(dependency, [0])
        assert policy.stats().failures_in_a_row == 0
        assert policy.stats().in_flight == 0
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(policy.acall(dependency, [0])) for _ in range(2)]
        assert [task.result() for task in tasks] == ["answer", "answer"]

    run_virtual(scenario())


def test_a_coroutine_that_is_thrown_away_half_done_gives_its_slot_back() -> None:
    async def scenario() -> None:
        policy = everything(VirtualClock.running())
        call = policy.acall(dependency, [0])
        call.send(None)
        assert policy.stats().in_flight == 1
        call.close()
        assert policy.stats().in_flight == 0
        assert policy.stats().failures_in_a_row == 0

    run_virtual(scenario())


async def gather_all() -> None:
    """Have a task of a group fail while the group waits for it, and catch the error."""

    async def fails() -> None:
        raise KeyError

    with contextlib.suppress(ExceptionGroup):
        async with asyncio.TaskGroup() as group:
            group.create_task(fails())


def test_a_group_that_failed_in_a_task_of_its_own_leaves_deadlines_as_they_are() -> None:
    """As the guide says it."""

    async def call() -> None:
        await asyncio.create_task(gather_all())
        await asyncio.sleep(9.0)

    async def scenario() -> None:
        policy = Policy(deadline=Deadline("1s"), clock=VirtualClock.running())
        with pytest.raises(DeadlineExceeded):
            await policy.acall(call)

    run_virtual(scenario())


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="it takes its request to end back")
def test_one_in_the_same_task_leaves_a_bare_cancellation_as_it_does_to_asyncio() -> None:
    """The guide warns of that."""

    async def call() -> None:
        await gather_all()
        await asyncio.sleep(9.0)

    async def by_policy() -> None:
        await Policy(deadline=Deadline("1s"), clock=VirtualClock.running()).acall(call)

    async def by_asyncio() -> None:
        async with asyncio.timeout(1.0):
            await call()

    async def scenario() -> None:
        for one in (by_policy, by_asyncio):
            with pytest.raises(asyncio.CancelledError):
                await asyncio.create_task(one())

    run_virtual(scenario())
