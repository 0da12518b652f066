"""The second opinion: processor time, and a loop that is late."""

import asyncio

import pytest

from mainstay.service.inbound.admission.pressure import Pressure, process_cpu_s
from mainstay.testing import VirtualClock, VirtualLoop, virtual_time


class Cpu:
    """Processor time that a test spends."""

    def __init__(self) -> None:
        self.used_s = 5.0

    def __call__(self) -> float:
        return self.used_s


def test_processor_time_is_a_share_of_one_core() -> None:
    clock, cpu = VirtualClock(), Cpu()
    pressure = Pressure(cpu_max=0.9, lag_max_s=None, clock=clock, cpu_s=cpu)
    assert pressure.read(clock.monotonic_s()) is None
    for share, said in ((0.89, None), (0.9, "cpu"), (1.7, "cpu"), (0.1, None)):
        clock.advance(0.5)
        cpu.used_s += 0.5 * share
        assert pressure.read(clock.monotonic_s()) == said
        assert pressure.cpu == pytest.approx(share)


def test_it_is_not_asked_more_often_than_says_something() -> None:
    clock, cpu = VirtualClock(), Cpu()
    pressure = Pressure(cpu_max=0.9, lag_max_s=None, clock=clock, cpu_s=cpu)
    pressure.read(clock.monotonic_s())
    clock.advance(0.01)
    cpu.used_s += 0.01
    assert pressure.read(clock.monotonic_s()) is None


def test_what_is_off_is_not_looked_at() -> None:
    clock = VirtualClock()

    def never() -> float:
        raise AssertionError

    pressure = Pressure(cpu_max=None, lag_max_s=None, clock=clock, cpu_s=never)
    clock.advance(10.0)
    assert pressure.read(clock.monotonic_s()) is None


def test_work_takes_processor_time() -> None:
    before_s = process_cpu_s()
    while process_cpu_s() == before_s:
        sum(range(10_000))
    assert process_cpu_s() > before_s


def test_a_thread_without_a_loop_is_never_late() -> None:
    clock = VirtualClock()
    pressure = Pressure(cpu_max=None, lag_max_s=0.1, clock=clock)
    for _ in range(3):
        clock.advance(10.0)
        assert pressure.read(clock.monotonic_s()) is None


@virtual_time
async def test_a_loop_that_is_late_is_told_once_and_while_it_is() -> None:
    clock = VirtualClock.running()
    pressure = Pressure(cpu_max=None, lag_max_s=0.1, clock=clock)
    assert pressure.read(clock.monotonic_s()) is None
    await asyncio.sleep(0.5)
    assert pressure.read(clock.monotonic_s()) is None
    # Somebody holds the loop; the tick that was due is late.
    clock.advance(0.3)
    assert pressure.read(clock.monotonic_s()) == "loop-lag"
    await asyncio.sleep(0.01)
    assert pressure.read(clock.monotonic_s()) == "loop-lag"
    await asyncio.sleep(0.2)
    assert pressure.read(clock.monotonic_s()) is None


@virtual_time
async def test_it_stops_looking_when_nobody_asks_any_more() -> None:
    clock = VirtualClock.running()
    pressure = Pressure(cpu_max=None, lag_max_s=0.1, clock=clock)
    pressure.read(clock.monotonic_s())
    await asyncio.sleep(10.0)
    assert pressure._loop is None
    clock.advance(5.0)
    # It was not late: it was not looking.
    assert pressure.read(clock.monotonic_s()) is None
    assert pressure._loop is not None


def test_a_loop_that_was_closed_makes_room_for_the_next() -> None:
    clock = VirtualClock()
    pressure = Pressure(cpu_max=None, lag_max_s=0.1, clock=clock)

    async def look() -> str | None:
        return pressure.read(clock.monotonic_s())

    for _ in range(2):
        with asyncio.Runner(loop_factory=lambda: VirtualLoop(clock=clock)) as runner:
            assert runner.run(look()) is None
            assert pressure._loop is runner.get_loop()
        clock.advance(1.0)
