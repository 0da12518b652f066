"""Alarms: never early, on time, in order, and nothing stays behind."""

import asyncio
import gc
import threading
import weakref
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.alarm import ALARMS, Lane, alarms_of, bucket_width_s
from mainstay.core.clock import SYSTEM_CLOCK
from mainstay.core.deadline import DeadlineRegion
from mainstay.core.errors import DeadlineExceeded
from mainstay.testing import VirtualClock, run_virtual


@given(st.floats(1e-6, 1e7))
def test_a_bucket_opens_in_the_last_eighth_of_the_time(left_s: float) -> None:
    width_s = bucket_width_s(left_s)
    assert width_s == 0 if left_s < 0.016 else left_s / 16 < width_s <= left_s / 8


@given(st.lists(st.floats(0, 100), min_size=1, max_size=30), st.integers(0, 2**32))
def test_every_alarm_rings_at_its_time_and_no_other_task_is_hurt(
    withins_s: list[float], seed: int
) -> None:
    """Some calls are done before, some never: each ends at the lesser of the two times."""

    async def scenario() -> None:
        clock, rng = VirtualClock.running(), Random(seed)

        async def one(within_s: float, takes_s: float) -> None:
            await asyncio.sleep(rng.uniform(0, 5))
            began_s = clock.monotonic_s()
            late = takes_s > within_s
            try:
                async with DeadlineRegion(within_s, clock):
                    await asyncio.sleep(takes_s)
            except DeadlineExceeded:
                assert late
            else:
                assert not late
            took_s = clock.monotonic_s() - began_s
            assert took_s == pytest.approx(min(within_s, takes_s), abs=1e-5)

        await asyncio.gather(
            *(
                one(within_s, within_s * rng.choice([0.3, 0.97, 1.5]) + 1e-3)
                for within_s in withins_s
            )
        )

    run_virtual(scenario())


@given(st.lists(st.tuples(st.floats(0, 3), st.booleans()), min_size=1, max_size=40))
def test_a_lane_rings_on_time_also_when_its_bucket_turns(steps: list[tuple[float, bool]]) -> None:
    async def scenario() -> None:
        clock = VirtualClock.running()
        lane = Lane(2.0, clock)

        async def one(late: bool) -> None:  # noqa: FBT001  A kind of call.
            began_s = clock.monotonic_s()
            alarm = lane.set(began_s, began_s + 2.0, (), None)
            try:
                await asyncio.sleep(5.0 if late else 1.9)
                error = None
            except asyncio.CancelledError as cancelled:
                error = cancelled
            assert alarm.silence(error) is late
            took_s = clock.monotonic_s() - began_s
            assert took_s == pytest.approx(2.0 if late else 1.9, abs=1e-5)

        tasks = []
        for pause_s, late in steps:
            await asyncio.sleep(pause_s)
            tasks.append(asyncio.create_task(one(late)))
        await asyncio.gather(*tasks)
        assert not any(alarms_of(asyncio.get_running_loop(), clock).buckets.values())

    run_virtual(scenario())


def test_what_has_little_time_left_is_not_put_into_an_open_bucket() -> None:
    """The second attempt of a call ends with the call: its bucket may have been opened already."""

    async def scenario() -> None:
        clock = VirtualClock.running()
        lane = Lane(2.0, clock)
        ends_s = clock.monotonic_s() + 2.0
        lane.set(clock.monotonic_s(), ends_s, (), None).silence(None)
        await asyncio.sleep(1.999)
        began_s = clock.monotonic_s()
        alarm = lane.set(began_s, ends_s, (), None)
        with pytest.raises(asyncio.CancelledError) as caught:
            await asyncio.sleep(5)
        assert alarm.silence(caught.value)
        assert clock.monotonic_s() == pytest.approx(ends_s, abs=1e-5)

    run_virtual(scenario())


def test_alarms_that_were_silenced_leave_nothing_behind() -> None:
    async def scenario() -> None:
        clock = VirtualClock.running()
        for _ in range(1000):
            async with DeadlineRegion(30.0, clock):
                await asyncio.sleep(0.001)
        alarms = alarms_of(asyncio.get_running_loop(), clock)
        assert sum(len(bucket) for bucket in alarms.buckets.values()) == 0
        assert len(alarms.buckets) <= 16
        await asyncio.sleep(40)
        assert alarms.buckets == {}

    run_virtual(scenario())


def test_a_loop_that_is_closed_is_forgotten_when_the_next_one_begins() -> None:
    loops = []

    async def scenario() -> None:
        loops.append(weakref.ref(asyncio.get_running_loop()))
        async with DeadlineRegion(60.0, SYSTEM_CLOCK):
            await asyncio.sleep(0)

    for _ in range(5):
        asyncio.run(scenario())
    gc.collect()
    assert sum(loop() is not None for loop in loops) <= 1
    assert sum(loop.is_closed() for loop in ALARMS) <= 1


def test_loops_in_threads_ring_their_own_alarms() -> None:
    lane = Lane(0.05, SYSTEM_CLOCK)
    rang = [0] * 4

    async def scenario(at: int) -> None:
        for _ in range(5):
            began_s = SYSTEM_CLOCK.monotonic_s()
            alarm = lane.set(began_s, began_s + 0.05, (), None)
            with pytest.raises(asyncio.CancelledError) as caught:
                await asyncio.sleep(60)
            assert SYSTEM_CLOCK.monotonic_s() - began_s >= 0.0499
            rang[at] += alarm.silence(caught.value)

    threads = [threading.Thread(target=lambda at=at: asyncio.run(scenario(at))) for at in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert rang == [5] * 4


def test_uvloop_counts_in_milliseconds_and_still_nothing_rings_early() -> None:
    uvloop = pytest.importorskip("uvloop")

    async def one(within_s: float) -> float:
        began_s = SYSTEM_CLOCK.monotonic_s()
        with pytest.raises(DeadlineExceeded):
            async with DeadlineRegion(within_s, SYSTEM_CLOCK):
                await asyncio.sleep(60)
        return SYSTEM_CLOCK.monotonic_s() - began_s - within_s

    async def scenario() -> None:
        withins_s = [0.0101, 0.0153, 0.0207, 0.0333, 0.0501]
        assert min(await asyncio.gather(*map(one, withins_s))) >= -1e-5

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scenario())
