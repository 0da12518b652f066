import threading

import pytest

from mainstay.core.clock import Clock, utc_text
from mainstay.testing import VirtualClock, run_virtual


def test_it_is_a_clock_that_stands_still() -> None:
    clock: Clock = VirtualClock(monotonic_s=5.0, wall_s=100.0)
    assert utc_text(clock.wall_s()) == "1970-01-01T00:01:40.000Z"
    assert [clock.monotonic_s(), clock.monotonic_s()] == [5.0, 5.0]
    assert clock.wall_s() == 100.0


def test_advance_and_sleep_move_both_readings() -> None:
    clock = VirtualClock(monotonic_s=5.0, wall_s=100.0)
    clock.advance(2.5)
    clock.sleep(0.5)
    assert clock.monotonic_s() == 8.0
    assert clock.wall_s() == 103.0


def test_the_wall_set_back_leaves_durations_alone() -> None:
    clock = VirtualClock(monotonic_s=5.0, wall_s=1_000_000.0)
    clock.set_wall(10.0)
    assert clock.monotonic_s() == 5.0
    clock.advance(1.0)
    assert clock.monotonic_s() == 6.0
    assert clock.wall_s() == 11.0


def test_a_moment_is_reached_exactly_and_a_past_one_moves_nothing() -> None:
    clock = VirtualClock(monotonic_s=0.7, wall_s=100.0)
    clock.advance_to(0.7 + 1e-15)
    clock.advance_to(1.95)
    assert clock.monotonic_s() == 1.95
    assert clock.wall_s() == 101.25
    clock.advance_to(1.0)
    assert clock.monotonic_s() == 1.95
    with pytest.raises(ValueError, match="finite"):
        clock.advance_to(float("inf"))


@pytest.mark.parametrize("seconds", [-0.001, float("nan"), float("inf")])
def test_monotonic_time_never_goes_back_nor_away(seconds: float) -> None:
    clock = VirtualClock()
    before_s = clock.monotonic_s()
    with pytest.raises(ValueError, match=r"time cannot go back|a moment is a finite"):
        clock.advance(seconds)
    with pytest.raises(ValueError, match=r"time cannot go back|a moment is a finite"):
        clock.sleep(seconds)
    assert clock.monotonic_s() == before_s


def test_no_thread_loses_a_step() -> None:
    clock = VirtualClock(monotonic_s=0.0)

    def walk() -> None:
        for _ in range(2_000):
            clock.advance(1.0)

    threads = [threading.Thread(target=walk) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clock.monotonic_s() == 16_000.0


def test_the_running_clock_is_the_loops() -> None:
    clock = VirtualClock()

    async def main() -> VirtualClock:
        return VirtualClock.running()

    assert run_virtual(main(), clock=clock) is clock


async def test_a_real_loop_has_no_virtual_clock() -> None:
    with pytest.raises(RuntimeError, match="start it with run_virtual"):
        VirtualClock.running()
