"""Regions that end elsewhere than they began: what they hold is given back all the same."""

import asyncio
import contextlib
import contextvars
import gc
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from typing import Any

import pytest

from mainstay import Breaker, Bulkhead, Deadline, Policy, deadline, remaining_s
from mainstay.core.errors import DeadlineExceeded, PolicyMisused
from mainstay.core.scope import CURRENT
from mainstay.testing import VirtualClock, run_virtual


def elsewhere(run: Callable[[], object]) -> None:
    contextvars.copy_context().run(run)


def test_a_generator_whose_halves_run_in_two_contexts_gives_its_slot_back() -> None:
    """So frameworks run dependencies that are generators: each half in some thread's context."""
    policy = Policy(bulkhead=Bulkhead(limit=2))

    @contextmanager
    def dependency() -> Iterator[None]:
        with policy:
            yield

    for _ in range(5):
        held = dependency()
        elsewhere(held.__enter__)
        elsewhere(partial(held.__exit__, None, None, None))
    assert policy.stats().in_flight == 0


def test_of_several_in_other_contexts_each_ends_its_own() -> None:
    """The outcome goes with the permit of the call that it is the outcome of."""
    clock = VirtualClock()
    policy = Policy(breaker=Breaker(failures=1, successes=1, open="1s"), clock=clock)

    @contextmanager
    def dependency() -> Iterator[None]:
        with policy:
            yield

    old, probe = dependency(), dependency()
    elsewhere(old.__enter__)
    with pytest.raises(ConnectionError), policy:
        raise ConnectionError
    clock.sleep(1.0)
    elsewhere(probe.__enter__)
    elsewhere(partial(old.__exit__, None, None, None))
    assert policy.stats().state == "half_open"
    elsewhere(partial(probe.__exit__, None, None, None))
    assert policy.stats().state == "closed"


def test_one_that_is_entered_and_left_in_different_tasks_gives_its_slot_back() -> None:
    async def scenario() -> None:
        clock = VirtualClock.running()
        policy = Policy(bulkhead=Bulkhead(limit=2), deadline=Deadline("1s"), clock=clock)

        @asynccontextmanager
        async def dependency() -> AsyncIterator[None]:
            async with policy:
                yield

        async def enter(held: contextlib.AbstractAsyncContextManager[None]) -> None:
            await held.__aenter__()
            await asyncio.sleep(3)
            # The task that began it lives on, and its region is over: nothing cuts it off.
            assert remaining_s() is None

        for _ in range(5):
            held = dependency()
            begun = asyncio.ensure_future(enter(held))
            await asyncio.sleep(0.5)
            await asyncio.ensure_future(held.__aexit__(None, None, None))
            await begun
        assert policy.stats().in_flight == 0

    run_virtual(scenario())


def test_a_generator_that_is_thrown_away_gives_its_slot_back() -> None:
    policy = Policy(bulkhead=Bulkhead(limit=2))

    async def parts() -> AsyncIterator[int]:
        async with policy:
            yield 1

    async def scenario() -> None:
        async def use() -> None:
            async for _ in parts():
                break

        for _ in range(3):
            await asyncio.ensure_future(use())
            gc.collect()
            for _ in range(3):
                await asyncio.sleep(0)
            assert policy.stats().in_flight == 0

    asyncio.run(scenario())


def test_a_stack_may_be_closed_elsewhere() -> None:
    policy = Policy(bulkhead=Bulkhead(limit=2))
    stack = contextlib.ExitStack()
    elsewhere(partial(stack.enter_context, policy))
    elsewhere(stack.close)
    assert policy.stats().in_flight == 0


def test_regions_may_end_in_any_order() -> None:
    one, other = Policy(bulkhead=Bulkhead(), deadline=Deadline("1s")), Policy(bulkhead=Bulkhead())
    one.__enter__()
    other.__enter__()
    one.__exit__(None, None, None)
    assert one.stats().in_flight == 0
    other.__exit__(None, None, None)
    assert CURRENT.get() is None
    with deadline("10s"):
        assert (remaining_s() or 0.0) > 5.0


def test_a_region_that_was_not_begun_can_not_end() -> None:
    policy = Policy(bulkhead=Bulkhead(limit=2))
    with policy:
        pass
    with pytest.raises(PolicyMisused, match="not begun"):
        policy.__exit__(None, None, None)
    assert policy.stats().in_flight == 0
    assert len(policy.plan.slots.free if policy.plan.slots else ()) == 2


def test_without_a_task_nothing_is_kept() -> None:
    """A coroutine that is driven by hand can't be interrupted: it is refused, and holds nothing."""
    clock = VirtualClock()
    policy = Policy(
        bulkhead=Bulkhead(limit=2), breaker=Breaker(failures=1, open="1s"), deadline=Deadline("9s"),
        clock=clock,
    )  # fmt: skip
    with pytest.raises(ConnectionError), policy:
        raise ConnectionError
    clock.sleep(1.0)

    async def region() -> None:
        async with policy:
            pass

    def drive() -> None:
        loop = asyncio.new_event_loop()
        errors: list[BaseException] = []

        def step() -> None:
            try:
                region().send(None)
            except PolicyMisused as error:
                errors.append(error)
            loop.stop()

        loop.call_soon(step)
        loop.run_forever()
        loop.close()
        assert len(errors) == 1

    for _ in range(3):
        drive()
    assert policy.stats().in_flight == 0
    # The probe was given back too: the next call is one.
    assert policy.call(int) == 0


def test_a_region_that_its_deadline_ended_says_so() -> None:
    async def scenario() -> None:
        policy = Policy(deadline=Deadline("1s"), clock=VirtualClock.running())
        with pytest.raises(DeadlineExceeded):
            async with policy:
                await asyncio.sleep(9)

    run_virtual(scenario())


def test_a_generator_that_is_left_early_bounds_nothing_any_more() -> None:
    """Asyncio closes it in a task of its own, whose context is a copy of ours."""
    policy = Policy(name="db", deadline=Deadline("300ms"))
    regions: list[Any] = [policy, deadline("300ms")]

    async def rows(region: Any) -> AsyncIterator[int]:
        async with region:
            yield 1
            yield 2

    async def main(region: Any) -> float | None:
        async for _ in rows(region):
            break
        gc.collect()
        await asyncio.sleep(0.5)
        return remaining_s()

    for region in regions:
        assert run_virtual(main(region)) is None


def test_a_generator_that_is_closed_in_a_copy_of_its_context_bounds_nothing_any_more() -> None:
    clock = VirtualClock()
    policy = Policy(name="db", deadline=Deadline("300ms"), clock=clock)
    regions: list[Any] = [policy, deadline("300ms", clock=clock)]

    def rows(region: Any) -> Generator[int, None, None]:
        with region:
            yield 1

    def check(region: Any) -> None:
        generator = rows(region)
        next(generator)
        assert remaining_s() == pytest.approx(0.3)
        elsewhere(generator.close)
        assert remaining_s() is None

    for region in regions:
        elsewhere(partial(check, region))


def test_a_stack_that_is_closed_in_another_task_ends_no_region_that_goes_on() -> None:
    clock = VirtualClock()
    policy = Policy(deadline=Deadline("300ms"), bulkhead=Bulkhead(limit=5), clock=clock)

    async def begin() -> AsyncExitStack:
        stack = AsyncExitStack()
        await stack.enter_async_context(policy)
        return stack

    async def going_on() -> float:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        with pytest.raises(DeadlineExceeded):
            async with policy:
                await asyncio.sleep(1.0)
        return loop.time() - began_s

    async def main() -> float:
        innocent = asyncio.ensure_future(going_on())
        await asyncio.sleep(0.01)
        stack = await asyncio.ensure_future(begin())
        await asyncio.ensure_future(stack.aclose())
        return await innocent

    assert run_virtual(main(), clock=clock) == pytest.approx(0.3)
    assert policy.stats().in_flight == 0
