"""The board of checks. Real threads, no real time: what waits is released by an event."""

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest
from tests.service.inbound.health.gates import Gate, check, statuses
from tests.service.inbound.polling import until

from mainstay.service.inbound.health.board import CHECKS_MAX, Board, critical
from mainstay.service.inbound.health.document import Finding, Status

if TYPE_CHECKING:
    from tests.service.conftest import FakeClock


def fail() -> bool:
    raise ConnectionRefusedError("postgresql://shop:secret@db/orders")


async def fail_async() -> bool:
    raise ConnectionRefusedError("postgresql://shop:secret@db/orders")


async def pass_async() -> None:
    await asyncio.sleep(0)


def pass_sync() -> None:
    return


def leave() -> None:
    raise SystemExit(1)


def test_answers_become_findings(clock: "FakeClock") -> None:
    """What a check raises is told by its class alone: its text may hold a credential."""
    board = Board(clock=clock, cache_s=1)
    for one in (
        check("none", lambda: None),
        check("yes", lambda: True),
        check("no", lambda: False),
        check("finding", lambda: Finding(status=Status.WARN, output="slow")),
        check("raises", fail),
        check("exits", leave),
        check("async", pass_async),
        check("async raises", fail_async),
    ):
        board.add(one)
    assert statuses(board) == {
        "none": (Status.PASS, None),
        "yes": (Status.PASS, None),
        "no": (Status.FAIL, "the check answered no"),
        "finding": (Status.WARN, "slow"),
        "raises": (Status.FAIL, "ConnectionRefusedError"),
        "exits": (Status.FAIL, "SystemExit"),
        "async": (Status.PASS, None),
        "async raises": (Status.FAIL, "ConnectionRefusedError"),
    }


async def test_async_checks_run_on_the_loop_that_asks(clock: "FakeClock") -> None:
    seen: list[object] = []

    async def look() -> None:
        seen.append(asyncio.get_running_loop())

    board = Board(clock=clock, cache_s=1)
    board.add(check("loop", look))
    board.add(check("sync", lambda: seen.append(threading.current_thread())))
    outcomes = await board.ask_async()
    assert [outcome.finding.status for outcome in outcomes.values()] == [Status.PASS] * 2
    assert asyncio.get_running_loop() in seen
    assert threading.current_thread() not in seen


def test_an_answer_is_used_again_until_it_is_stale(clock: "FakeClock") -> None:
    runs: list[float] = []
    board = Board(clock=clock, cache_s=1.0)
    board.add(check("a", lambda: runs.append(clock.now_s)))
    for at_s in (0.0, 0.5, 0.99, 1.0, 1.5):
        clock.now_s = 1000 + at_s
        board.ask()
    assert runs == [1000.0, 1001.0]


def test_a_thousand_probes_at_once_run_a_check_once(clock: "FakeClock", gate: Gate) -> None:
    board = Board(clock=clock, cache_s=60)
    board.add(check("a", gate.check))
    answers: list[Status] = []

    def probe() -> None:
        answers.append(board.ask(critical)["a"].finding.status)

    threads = [threading.Thread(target=probe) for _ in range(100)]
    for thread in threads:
        thread.start()
    gate.open()
    for thread in threads:
        thread.join(60)
    assert answers == [Status.PASS] * 100
    assert gate.started == 1


async def test_a_thousand_async_probes_at_once_run_a_check_once(clock: "FakeClock") -> None:
    started = 0
    opened = asyncio.Event()

    async def wait() -> None:
        nonlocal started
        started += 1
        await opened.wait()

    board = Board(clock=clock, cache_s=60)
    board.add(check("a", wait))
    probes = [asyncio.create_task(board.ask_async(critical)) for _ in range(1000)]
    await asyncio.sleep(0)
    opened.set()
    answers = await asyncio.gather(*probes)
    assert started == 1
    assert {answer["a"].finding.status for answer in answers} == {Status.PASS}


def test_a_check_that_hangs_is_late_and_is_not_started_again(
    clock: "FakeClock", gate: Gate
) -> None:
    """However often health is asked, it holds one thread; the others answer as ever."""
    board = Board(clock=clock, cache_s=0)
    board.add(check("hangs", gate.check, timeout_s=2.0))
    board.add(check("works", lambda: True))
    clock.step_s = 10.0  # Every look at the clock is later than any timeout.
    for _ in range(50):
        answer = board.ask()["hangs"].finding
        assert (answer.status, answer.output) == (Status.FAIL, "timeout")
    assert gate.started == 1


def test_an_answer_that_came_too_late_does_not_count(clock: "FakeClock", gate: Gate) -> None:
    def slow() -> bool:
        clock.now_s += 5
        return True

    board = Board(clock=clock, cache_s=60)
    board.add(check("slow", slow, timeout_s=2.0))
    assert statuses(board) == {"slow": (Status.FAIL, "timeout")}


async def test_a_probe_that_is_cancelled_leaves_the_check_to_the_others(
    clock: "FakeClock",
) -> None:
    opened = asyncio.Event()

    async def wait() -> None:
        await opened.wait()

    board = Board(clock=clock, cache_s=60)
    board.add(check("a", wait))
    first = asyncio.create_task(board.ask_async(critical))
    second = asyncio.create_task(board.ask_async(critical))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    opened.set()
    assert (await second)["a"].finding.status is Status.PASS
    assert first.cancelled()


def test_readiness_asks_what_is_critical_only(clock: "FakeClock", gate: Gate) -> None:
    """An optional dependency that hangs delays no probe: it is not even asked."""
    board = Board(clock=clock, cache_s=0)
    board.add(check("needed", lambda: True))
    board.add(check("optional", gate.check, critical=False))
    assert list(statuses(board, critical)) == ["needed"]
    assert gate.started == 0


def test_names_are_unique_and_checks_are_bounded(clock: "FakeClock") -> None:
    board = Board(clock=clock, cache_s=0)
    board.add(check("a", fail))
    with pytest.raises(ValueError, match="'a' already"):
        board.add(check("a", fail))
    for number in range(CHECKS_MAX - 1):
        board.add(check(f"c{number}", fail))
    with pytest.raises(ValueError, match="more than 128"):
        board.add(check("one more", fail))


def test_a_failure_counts_once_however_many_waited_for_it(clock: "FakeClock", gate: Gate) -> None:
    """A hundred probes that gave a check up are one failure of it, not a hundred."""
    board = Board(clock=clock, cache_s=60)
    good = threading.Event()
    good.set()

    def hangs_later() -> bool:
        return good.is_set() or gate.check()

    board.add(check("a", hangs_later, timeout_s=2.0, failures=3))
    assert board.ask()["a"].status is Status.PASS
    good.clear()
    clock.now_s += 100
    standings: list[tuple[bool, int]] = []

    def probe() -> None:
        outcome = board.ask()["a"]
        standings.append((outcome.failing, outcome.against))

    threads = [threading.Thread(target=probe) for _ in range(20)]
    for thread in threads:
        thread.start()
    until(lambda: gate.started == 1)
    for thread in threads:
        thread.join(60)
    assert standings == [(False, 1)] * 20


def test_a_failure_that_does_not_count_yet_is_a_warning(clock: "FakeClock") -> None:
    answers = iter([True, False, False, False, True])
    board = Board(clock=clock, cache_s=0)
    board.add(check("a", lambda: next(answers), failures=3, successes=1))
    seen = [(one.status, one.against) for one in (board.ask()["a"] for _ in range(5))]
    assert seen == [
        (Status.PASS, 0),
        (Status.WARN, 1),
        (Status.WARN, 2),
        (Status.FAIL, 0),
        (Status.PASS, 0),
    ]


def test_without_a_thread_to_be_had_a_check_fails(
    clock: "FakeClock", monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_thread(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    board = Board(clock=clock, cache_s=0)
    board.add(check("a", pass_sync))
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", no_thread)
        assert statuses(board) == {"a": (Status.FAIL, "RuntimeError")}
    assert statuses(board) == {"a": (Status.PASS, None)}
