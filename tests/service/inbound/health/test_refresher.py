"""The thread that keeps a board fresh."""

import gc
import os
import threading
import weakref
from typing import TYPE_CHECKING

import pytest

from mainstay.service.inbound.health.board import Board
from mainstay.service.inbound.health.check import Check
from mainstay.service.inbound.health.refresher import Refresher, keep_fresh

if TYPE_CHECKING:
    from tests.service.conftest import FakeClock


class Idle(Board):
    """A board that is never due, and counts who asks."""

    def __init__(self, clock: "FakeClock") -> None:
        super().__init__(clock=clock, cache_s=1)
        self.looked = 0

    def refresh(self) -> float:
        self.looked += 1
        return 0.0


def threads() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name == "health-refresh"]


def test_it_looks_until_it_is_told_to_stop_and_never_in_a_busy_loop(clock: "FakeClock") -> None:
    pauses: list[float] = []

    def pause(seconds: float) -> bool:
        pauses.append(seconds)
        return len(pauses) > 3

    board = Idle(clock)
    keep_fresh(lambda: board, lambda: False, pause)
    assert board.looked == 3
    assert min(pauses) >= 0.01


def test_a_process_that_stops_asks_nobody_any_more(clock: "FakeClock") -> None:
    board = Idle(clock)
    keep_fresh(lambda: board, lambda: True, lambda _: False)
    assert board.looked == 0


def test_one_thread_however_often_it_is_asked_for_and_none_without_a_board(
    clock: "FakeClock",
) -> None:
    before = set(threads())
    ran = threading.Event()

    def note() -> None:
        ran.set()

    board = Board(clock=clock, cache_s=1)
    board.add(Check(name="a", run=note, critical=True, timeout_s=1.0))
    refresher = Refresher(board, lambda: False)
    for _ in range(100):
        refresher.awake()
    assert ran.wait(60)
    assert board.refreshed
    (thread,) = set(threads()) - before
    gone = weakref.ref(board)
    del board, refresher
    gc.collect()
    assert gone() is None
    thread.join(60)
    assert not thread.is_alive()


def test_a_fork_has_a_thread_of_its_own(
    clock: "FakeClock", monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads don't survive a fork; the number of the process tells."""
    before = set(threads())
    board = Board(clock=clock, cache_s=1)
    refresher = Refresher(board, lambda: False)
    refresher.awake()
    monkeypatch.setattr(os, "getpid", lambda: 1)
    refresher.awake()
    refresher.awake()
    assert len(set(threads()) - before) == 2
