"""The board in the background: each check at its own interval, before a probe asks."""

import asyncio
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

from tests.service.inbound.health.gates import Gate, check, statuses
from tests.service.inbound.polling import until

from mainstay.service.inbound.health.board import Board
from mainstay.service.inbound.health.document import Status

if TYPE_CHECKING:
    from tests.service.conftest import FakeClock


class Steady(Random):
    """Chance that adds nothing."""

    def random(self) -> float:
        return 0.0


def fail() -> bool:
    raise ConnectionRefusedError("postgresql://shop:secret@db/orders")


def test_what_is_due_is_run_in_the_background(clock: "FakeClock") -> None:
    """Each check at its own interval; what a probe then asks for is there already."""
    board = Board(clock=clock, cache_s=0, rng=Steady())
    runs: list[tuple[str, float]] = []

    def note(name: str) -> Callable[[], None]:
        return lambda: runs.append((name, clock.now_s))

    board.add(check("fast", note("fast"), interval_s=10, timeout_s=2))
    board.add(check("slow", note("slow"), interval_s=30, timeout_s=2))
    board.refreshed = True

    def settled(count: int) -> bool:
        # Not only begun: the board must have taken it down.
        return len(runs) == count and board.refresh() == 10

    assert board.refresh() == 2
    until(lambda: settled(2))
    clock.now_s += 10
    board.refresh()
    until(lambda: settled(3))
    clock.now_s += 9.5
    assert board.refresh() == 0.5
    assert list(statuses(board)) == ["fast", "slow"]
    assert [name for name, _ in runs] == ["fast", "slow", "fast"]
    outcome = board.ask()["slow"]
    assert (outcome.age_s, outcome.took_s) == (19.5, 0.0)


def test_what_counts_as_failed_is_asked_again_sooner(clock: "FakeClock") -> None:
    board = Board(clock=clock, cache_s=0, rng=Steady())
    board.add(check("a", fail, interval_s=30, timeout_s=2))
    board.ask()
    assert board.refresh() == 5


def test_an_answer_far_too_old_is_not_believed(clock: "FakeClock") -> None:
    """Whoever should have refreshed it has not: a probe runs the check itself."""
    board = Board(clock=clock, cache_s=0)
    runs: list[float] = []
    board.add(check("a", lambda: runs.append(clock.now_s), interval_s=10, timeout_s=2))
    board.refreshed = True
    board.ask()
    clock.now_s += 21
    board.ask()
    assert len(runs) == 1
    clock.now_s += 1.5
    board.ask()
    assert len(runs) == 2


def test_a_check_that_hangs_fails_in_the_background_and_delays_no_probe(
    clock: "FakeClock", gate: Gate
) -> None:
    board = Board(clock=clock, cache_s=0, rng=Steady())
    board.add(check("hangs", gate.check, interval_s=10, timeout_s=2, failures=3))
    board.refreshed = True
    board.refresh()
    until(lambda: gate.started == 1)
    clock.now_s += 2
    board.refresh()
    first = board.ask()["hangs"]
    assert (first.failing, first.finding.output, first.took_s) == (True, "timeout", None)
    # As what failed: the failing check is due again in 5 s, and is still not started twice.
    clock.now_s += 5
    board.refresh()
    assert board.ask()["hangs"].age_s == 0
    assert gate.started == 1


def test_an_answer_after_it_was_given_up_changes_nothing(clock: "FakeClock", gate: Gate) -> None:
    board = Board(clock=clock, cache_s=0, rng=Steady())
    board.add(check("a", gate.check, timeout_s=2, interval_s=10))
    board.refreshed = True
    board.refresh()
    until(lambda: gate.started == 1)
    clock.now_s += 3
    board.refresh()
    gate.open()

    def started_again() -> bool:
        # Once it has ended; until then each look finds it late once more.
        clock.now_s += 5
        board.refresh()
        return gate.started == 2

    until(started_again)
    until(lambda: board.ask()["a"].status is Status.PASS)


async def test_async_checks_run_on_the_app_s_loop_in_the_background_too(
    clock: "FakeClock",
) -> None:
    """A pool belongs to the loop that made it; the thread that refreshes has none."""
    seen: list[object] = []
    ran = asyncio.Event()

    async def look() -> None:
        seen.append(asyncio.get_running_loop())
        ran.set()

    board = Board(clock=clock, cache_s=0, rng=Steady())
    board.add(check("loop", look, interval_s=10))
    await board.ask_async()
    ran.clear()
    clock.now_s += 10
    await asyncio.to_thread(board.refresh)
    await asyncio.wait_for(ran.wait(), 60)
    assert seen == [asyncio.get_running_loop()] * 2


def test_a_fork_forgets_runs_that_are_not_its_own(clock: "FakeClock", gate: Gate) -> None:
    board = Board(clock=clock, cache_s=0)
    board.add(check("a", gate.check, timeout_s=2))
    board.refresh()
    until(lambda: gate.started == 1)
    board.forget_runs()
    board.refresh()
    until(lambda: gate.started == 2)
    gate.open()
    until(lambda: board.ask()["a"].status is Status.PASS)
