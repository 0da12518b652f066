"""How many threads a WSGI app works in, and which of them does what."""

import threading
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from tests.service.inbound.polling import until

from mainstay.service.inbound.serving.workers import AT_ONCE_MAX, HELPING_MAX, SPARE_MAX, Workers

GENEROUS_S = 60.0


class Work:
    """Jobs that last until they are let go."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.begun: list[str] = []
        self.done: list[str] = []
        self.threads: set[int] = set()

    def job(self, name: str = "") -> Callable[[], None]:
        def run() -> None:
            self.begun.append(name)
            self.threads.add(threading.get_ident())
            assert self.gate.wait(GENEROUS_S)
            self.done.append(name)

        return run


class Turns:
    """A wait that lasts until somebody says so, or no time at all."""

    def __init__(self) -> None:
        self.waited = 0
        self.open = threading.Semaphore(0)

    def __call__(self, seconds: float) -> None:
        assert seconds > 0
        self.waited += 1
        assert self.open.acquire(timeout=GENEROUS_S)


def is_late(workers: Workers) -> bool:
    """Say what it says now; mypy takes an attribute for what it was."""
    return workers.is_late


@pytest.fixture
def work() -> Iterator[Work]:
    one = Work()
    yield one
    one.gate.set()


def test_threads_are_made_at_once_as_long_as_there_are_places(work: Work) -> None:
    workers = Workers(3, 10, wait=Turns())
    for _ in range(3):
        workers.put(work.job())
    until(lambda: len(work.begun) == 3)
    assert len(workers) == 3


def test_beyond_them_one_that_is_done_takes_the_next(work: Work) -> None:
    turns = Turns()
    workers = Workers(1, 10, wait=turns)
    for name in "abc":
        workers.put(work.job(name))
    until(lambda: turns.waited == 1)
    assert work.begun == ["a"]
    work.gate.set()
    until(lambda: work.done == ["a", "b", "c"])
    turns.open.release()
    assert len(workers) == 1
    assert len(work.threads) == 1


def test_what_has_waited_gets_a_thread_of_its_own(work: Work) -> None:
    turns = Turns()
    workers = Workers(1, 3, wait=turns)
    for _ in range(2):
        workers.put(work.job())
    until(lambda: turns.waited == 1)
    # It came after the look began, and has not waited yet.
    workers.put(work.job())
    turns.open.release()
    until(lambda: len(work.begun) == 2)
    until(lambda: turns.waited == 2)
    assert len(workers) == 2
    turns.open.release()
    until(lambda: len(work.begun) == 3)
    assert len(workers) == 3


def test_there_are_never_more_than_may_be(work: Work) -> None:
    workers = Workers(1, 2, wait=lambda _: None)
    for _ in range(5):
        workers.put(work.job())
    until(lambda: len(work.begun) == 2)
    assert len(workers) == 2
    work.gate.set()
    until(lambda: len(work.done) == 5)


def test_few_are_made_after_one_look(work: Work) -> None:
    turns = Turns()
    workers = Workers(1, 1000, wait=turns)
    for _ in range(AT_ONCE_MAX + 10):
        workers.put(work.job())
    until(lambda: turns.waited == 1)
    turns.open.release()
    until(lambda: turns.waited == 2)
    assert len(workers) == 1 + AT_ONCE_MAX
    turns.open.release()
    until(lambda: len(work.begun) == AT_ONCE_MAX + 10)


def test_those_that_are_not_needed_any_more_end(work: Work) -> None:
    workers = Workers(2, 100, wait=lambda _: None)
    for _ in range(40):
        workers.put(work.job())
    until(lambda: len(work.begun) == 40)
    assert len(workers) == 40
    work.gate.set()
    until(lambda: len(workers) <= 2 + SPARE_MAX)
    again = threading.Event()
    workers.put(again.set)
    assert again.wait(GENEROUS_S)


def test_an_error_takes_no_thread_of_others(capfd: pytest.CaptureFixture[str]) -> None:
    def fails() -> None:
        raise SystemExit("secret")

    workers = Workers(1, 1)
    done = threading.Event()
    for job in (fails, fails, done.set):
        workers.put(job)
    assert done.wait(GENEROUS_S)
    assert len(workers) == 1
    said = capfd.readouterr().err
    assert said.count("a thread of the server heard a SystemExit\n") == 2
    assert said.count(", in fails\n") == 2
    assert "SystemExit: secret" not in said


def test_a_system_without_more_threads_has_those_that_are_there_do_it(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(self: threading.Thread) -> None:
        del self
        raise RuntimeError("can't start new thread")

    workers = Workers(2, 4)
    workers.put(work.job("a"))
    until(lambda: work.begun == ["a"])
    monkeypatch.setattr(threading.Thread, "start", fails)
    for name in "bcd":
        workers.put(work.job(name))
    assert len(workers) == 1
    monkeypatch.undo()
    work.gate.set()
    until(lambda: sorted(work.done) == ["a", "b", "c", "d"])


def test_many_threads_put_and_nothing_is_lost_or_done_twice() -> None:
    workers, done = Workers(4, 32), list[int]()

    def put_many(begin: int) -> None:
        for number in range(begin, begin + 2000):
            workers.put(lambda number=number: done.append(number))  # type: ignore[misc]  # mypy sees no default.

    putting = [threading.Thread(target=put_many, args=(begin,)) for begin in range(0, 8000, 2000)]
    for one in putting:
        one.start()
    for one in putting:
        one.join(GENEROUS_S)
    until(lambda: len(done) == 8000)
    assert sorted(done) == list(range(8000))


def test_while_jobs_are_late_who_brings_one_does_it(work: Work) -> None:
    turns, told = Turns(), list[str]()
    workers = Workers(1, 2, wait=turns, late=partial(told.append, "late"))
    done: list[int] = []
    workers.help(lambda: done.append(threading.get_ident()))
    until(lambda: len(done) == 1)
    assert done[0] != threading.get_ident(), "nothing was late"
    for _ in range(3):
        workers.put(work.job())
    until(lambda: turns.waited == 1)
    turns.open.release()
    until(lambda: workers.is_late)
    assert told == ["late"]
    workers.help(lambda: done.append(threading.get_ident()))
    assert done[1] == threading.get_ident()
    # Others wait still, so the next one is late too.
    assert workers.is_late
    work.gate.set()
    until(lambda: len(work.done) == 3)
    workers.help(lambda: done.append(threading.get_ident()))
    assert done[2] == threading.get_ident()
    assert told == ["late"]
    assert not is_late(workers)
    turns.open.release(10)


def test_no_more_help_than_may() -> None:
    workers = Workers(1, 4, wait=lambda _: None)
    gate, helping, done = threading.Event(), threading.Semaphore(0), list[bool]()

    def waits() -> None:
        helping.release()
        assert gate.wait(GENEROUS_S)

    # It is late as soon as one has looked, and then two threads have jobs of it.
    for _ in range(3):
        workers.put(waits)
    until(lambda: workers.is_late)
    threads = [threading.Thread(target=workers.help, args=(waits,)) for _ in range(HELPING_MAX)]
    for one in threads:
        one.start()
    for _ in range(HELPING_MAX + 3):
        assert helping.acquire(timeout=GENEROUS_S)
    workers.help(lambda: done.append(True))
    until(lambda: bool(done))
    gate.set()
    for one in threads:
        one.join(GENEROUS_S)
    until(lambda: not workers.is_late)
