"""Closers: their order, and that none takes anything from another."""

import asyncio
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from mainstay.core.events import Listeners
from mainstay.service.inbound.stopping.closers import CLOSERS_MAX, CloserFailed, Closers
from mainstay.testing import Recorder

if TYPE_CHECKING:
    from tests.service.conftest import FakeClock

LONG_S = 60.0
Run = Callable[[Closers, float], None]


class World:
    def __init__(self, clock: "FakeClock") -> None:
        self.told: list[str] = []
        self.heard = Recorder()
        events = Listeners()
        events.add(self.heard)
        self.closers = Closers(clock=clock, events=events, complain=self.told.append)
        self.did: list[str] = []

    def note(self, name: str) -> Callable[[], None]:
        return lambda: self.did.append(name)

    async def close_async(self) -> None:
        await asyncio.sleep(0)
        self.did.append("async")


@pytest.fixture
def world(clock: "FakeClock") -> World:
    return World(clock)


def run_sync(closers: Closers, within_s: float) -> None:
    closers.run(within_s)


def run_async(closers: Closers, within_s: float) -> None:
    asyncio.run(closers.run_async(within_s))


@pytest.fixture(params=[run_sync, run_async])
def run(request: pytest.FixtureRequest) -> Run:
    found: Run = request.param
    return found


def test_stages_go_in_their_order_whatever_order_they_were_added_in(world: World, run: Run) -> None:
    for stage in ("telemetry", "pools", "clients"):
        world.closers.add(world.note(stage), stage=stage)
    world.closers.add(world.close_async, stage="pools")
    run(world.closers, LONG_S)
    assert (world.did[0], world.did[-1]) == ("clients", "telemetry")
    assert sorted(world.did[1:3]) == ["async", "pools"]
    assert world.told == []


def test_what_a_closer_returns_is_awaited(world: World, run: Run) -> None:
    """As ``lambda: client.aclose()`` does."""
    world.closers.add(lambda: world.close_async())  # noqa: PLW0108  It is what is tested.
    run(world.closers, LONG_S)
    assert world.did == ["async"]


def test_they_run_once(world: World, run: Run) -> None:
    world.closers.add(world.note("once"))
    run(world.closers, LONG_S)
    run(world.closers, LONG_S)
    assert world.did == ["once"]


def test_one_that_raises_keeps_no_other_from_closing(world: World, run: Run) -> None:
    def fail() -> None:
        raise OSError("no such socket")

    async def fail_async() -> None:
        raise LookupError

    world.closers.add(fail)
    world.closers.add(fail_async, stage="pools")
    world.closers.add(world.note("beside"))
    world.closers.add(world.note("last"), stage="telemetry")
    run(world.closers, LONG_S)
    assert world.did == ["beside", "last"]
    assert [text.count("OSError: no such socket") for text in world.told] == [1, 0]
    failed = world.heard.of(CloserFailed)
    assert [(one.stage, one.error) for one in failed] == [
        ("clients", "OSError"),
        ("pools", "LookupError"),
    ]


def test_one_that_hangs_takes_its_stage_and_not_the_next(world: World, run: Run) -> None:
    gate = threading.Event()
    world.closers.add(gate.wait)
    world.closers.add(world.note("last"), stage="telemetry")
    run(world.closers, 0.2)
    gate.set()
    assert world.did == ["last"]
    assert world.heard.only(CloserFailed).error == "TimeoutError"


async def test_one_that_waits_for_ever_on_the_loop_is_cancelled(world: World) -> None:
    ended: list[str] = []

    async def waits() -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    world.closers.add(waits)
    await world.closers.run_async(0.01)
    await asyncio.sleep(0)
    assert ended == ["cancelled"]
    assert world.heard.only(CloserFailed).error == "TimeoutError"


def test_each_stage_has_an_equal_share_of_what_is_left(world: World, clock: "FakeClock") -> None:
    for stage in ("clients", "pools", "telemetry"):
        world.closers.add(world.note(stage), stage=stage)
    shares: list[Any] = []
    for _, _, share_s in world.closers._stages(9.0):
        shares.append(round(share_s, 3))
        clock.now_s += 2.0
    assert shares == [3.0, 3.5, 5.0]


def test_a_wrong_stage_and_too_many_are_refused(world: World) -> None:
    with pytest.raises(ValueError, match="no stage 'cache': there are clients, pools, telemetry"):
        world.closers.add(world.note("x"), stage="cache")  # type: ignore[arg-type]  # The mistake.
    for _ in range(CLOSERS_MAX):
        world.closers.add(world.note("x"))
    with pytest.raises(ValueError, match="more than 256"):
        world.closers.add(world.note("x"))
