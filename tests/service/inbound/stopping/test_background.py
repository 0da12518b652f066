"""Work in the background. Threads and loops are real, time is not."""

import asyncio
import threading
import warnings
from random import Random
from typing import TYPE_CHECKING

import pytest
from tests.service.inbound.polling import until

from mainstay.core.clock import SYSTEM_CLOCK
from mainstay.core.deadline import DeadlineRegion, remaining_s
from mainstay.core.events import Listeners
from mainstay.core.trace import arrive, current_trace, enter_trace, leave_trace
from mainstay.service.inbound.stopping.background import (
    THREADS_MAX,
    Background,
    BackgroundFailed,
    BackgroundFull,
)
from mainstay.testing import Recorder

if TYPE_CHECKING:
    from tests.service.conftest import FakeClock

LONG_S = 60.0


class World:
    def __init__(self, clock: "FakeClock", *, work_max: int = 100) -> None:
        self.told: list[str] = []
        self.heard = Recorder()
        events = Listeners()
        events.add(self.heard)
        self.background = Background(
            clock=clock, events=events, complain=self.told.append, work_max=work_max
        )


@pytest.fixture
def world(clock: "FakeClock") -> World:
    return World(clock)


async def test_what_was_begun_is_waited_for(world: World) -> None:
    """A coroutine, a coroutine function and a function, and what they begin in their turn."""
    did: list[str] = []

    async def work(name: str) -> None:
        await asyncio.sleep(0)
        did.append(name)
        if name == "first":
            world.background.run(work, "grandchild")

    def thread() -> None:
        did.append("thread")

    world.background.run(work("first"))
    world.background.run(work, name="second")
    world.background.run(thread)
    assert await world.background.finish_async(LONG_S) == 0
    assert sorted(did) == ["first", "grandchild", "second", "thread"]
    assert len(world.background) == 0


def test_without_a_loop_coroutines_have_one_of_their_own(world: World) -> None:
    did: list[object] = []

    async def work() -> None:
        did.append(threading.current_thread())

    world.background.run(work())
    assert world.background.finish(LONG_S) == 0
    assert did
    assert did[0] is not threading.current_thread()


async def test_threads_of_the_app_use_the_app_s_loop(world: World) -> None:
    """A pool belongs to the loop that made it; a handler in a thread has none of its own."""
    seen: list[object] = []

    async def work() -> None:
        seen.append(asyncio.get_running_loop())

    world.background.loop = asyncio.get_running_loop()
    await asyncio.to_thread(world.background.run, work)
    assert await world.background.finish_async(LONG_S) == 0
    assert seen == [asyncio.get_running_loop()]


@pytest.mark.parametrize("in_thread", [True, False])
async def test_it_keeps_the_trace_and_leaves_the_deadline(world: World, *, in_thread: bool) -> None:
    seen: list[object] = []

    def look() -> None:
        seen.append((current_trace(), remaining_s()))

    async def look_async() -> None:
        look()

    trace = arrive(Random(1))
    token = enter_trace(trace)
    with DeadlineRegion(0.001, SYSTEM_CLOCK):
        world.background.run(look if in_thread else look_async)
        assert remaining_s() is not None
    leave_trace(token)
    await world.background.finish_async(LONG_S)
    assert seen == [(trace, None)]


@pytest.mark.parametrize("in_thread", [True, False])
async def test_an_error_is_told_once_with_its_trace(world: World, *, in_thread: bool) -> None:
    def fail() -> None:
        raise LookupError("no such order")

    async def fail_async() -> None:
        fail()

    token = enter_trace(trace := arrive(Random(1)))
    world.background.run(fail if in_thread else fail_async)
    leave_trace(token)
    await world.background.finish_async(LONG_S)
    (text,) = world.told
    assert f"trace_id {trace.trace_id}" in text
    assert text.count("LookupError: no such order") == 1
    told = world.heard.only(BackgroundFailed)
    assert told.error == "LookupError"
    assert told.work.endswith("fail" if in_thread else "fail_async")


async def test_it_is_bounded_and_says_so_without_a_warning(clock: "FakeClock") -> None:
    world = World(clock, work_max=2)
    gate = asyncio.Event()
    for _ in range(2):
        world.background.run(gate.wait)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(BackgroundFull, match="2 are on their way"):
            world.background.run(gate.wait())
    gate.set()
    assert await world.background.finish_async(LONG_S) == 0


def test_threads_are_bounded_and_the_rest_waits(world: World) -> None:
    gate, lock = threading.Event(), threading.Lock()
    now = peak = 0

    def work() -> None:
        nonlocal now, peak
        with lock:
            now += 1
            peak = max(peak, now)
        assert gate.wait(LONG_S)
        with lock:
            now -= 1

    for _ in range(THREADS_MAX + 10):
        world.background.run(work)
    until(lambda: now == THREADS_MAX)
    gate.set()
    assert world.background.finish(LONG_S) == 0
    assert peak == THREADS_MAX


def test_the_bound_cuts_off_and_then_nothing_begins(world: World, clock: "FakeClock") -> None:
    gate = threading.Event()
    world.background.run(gate.wait)
    clock.step_s = 1.0  # Each look at the clock is a second later, so that nothing waits.
    assert world.background.finish(0.5) == 1
    with pytest.raises(BackgroundFull, match="the process stops"):
        world.background.run(gate.wait)
    gate.set()


async def test_what_was_cut_off_is_not_told_as_a_failure(world: World, clock: "FakeClock") -> None:
    gate = asyncio.Event()
    world.background.run(gate.wait)
    clock.step_s = 1.0
    assert await world.background.finish_async(0.5) == 1
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert len(world.background) == 0
    assert world.told == []


async def test_tasks_are_held_and_not_collected_half_done(world: World) -> None:
    """The loop holds them weakly; nothing else of ours does."""
    import gc

    gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    did: list[bool] = []

    async def work() -> None:
        await gate
        did.append(True)

    world.background.run(work())
    await asyncio.sleep(0)
    gc.collect()
    gate.set_result(None)
    assert await world.background.finish_async(LONG_S) == 0
    assert did == [True]
