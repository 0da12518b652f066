"""Waiting on the machine's own clock."""

import asyncio
from collections.abc import Callable

import pytest
import uvloop

from mainstay.control.load.pace import LoopPace, Pace, best_pace
from mainstay.core.clock import SystemClock

pytestmark = pytest.mark.system

CLOCK = SystemClock()
WAITS_S = (0.0, 1e-9, 0.0002, 0.0007, 0.003, 0.0301)


async def overshoots(pace: Pace) -> list[float]:
    late = []
    for wait_s in WAITS_S * 5:
        at_s = CLOCK.monotonic_s() + wait_s
        await pace.sleep_until(at_s)
        late.append(CLOCK.monotonic_s() - at_s)
    return late


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
@pytest.mark.parametrize("best", ["best", "of the loop"])
def test_no_pace_ever_returns_early(
    loop: Callable[[], asyncio.AbstractEventLoop], best: str
) -> None:
    """Early requests would have latencies that are too short, or even below zero."""

    async def measure() -> list[float]:
        if best != "best":
            return await overshoots(LoopPace(CLOCK))
        with best_pace(CLOCK) as pace:
            return await overshoots(pace)

    with asyncio.Runner(loop_factory=loop) as runner:
        late = runner.run(measure())
    assert min(late) >= 0
    assert len(late) == 5 * len(WAITS_S)
