"""Who answers when the time of a request in a thread is up: one of two, once, and at the moment."""

import math
import threading

import pytest
from tests.service.inbound.polling import until

from mainstay.core.clock import SYSTEM_CLOCK
from mainstay.service.inbound.wsgi.watch import Watch


class Clock:
    """Time that a test turns forward."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def monotonic_s(self) -> float:
        return self.now_s

    def wall_s(self) -> float:
        return self.now_s


class Request:
    """A request that counts how often it was answered for."""

    def __init__(self, expires_s: float) -> None:
        self.expires_s = expires_s
        self.cuts = 0
        self.answered = threading.Event()
        self.told = threading.Event()

    def cut(self) -> None:
        self.cuts += 1
        self.answered.set()

    def after_cut(self) -> None:
        assert self.answered.is_set()
        self.told.set()


def quiet(clock: Clock) -> Watch:
    """Return a watch whose thread sleeps, so that only the test looks."""
    watch = Watch(clock)
    watch._looks_s = -math.inf
    return watch


def test_a_look_answers_for_those_whose_time_is_up_and_tells_the_next() -> None:
    clock = Clock()
    watch = quiet(clock)
    now, soon, later = Request(100.0), Request(101.0), Request(105.0)
    for one in (later, now, soon):
        watch.add(one)
    assert watch.look() == 101.0
    clock.now_s = 103.0
    assert watch.look() == 105.0
    assert [one.cuts for one in (now, soon, later)] == [1, 1, 0]
    assert len(watch) == 1
    clock.now_s = 200.0
    assert watch.look() == math.inf
    assert later.cuts == 1


def test_who_was_taken_is_not_answered_for() -> None:
    clock = Clock()
    watch, one = quiet(clock), Request(100.0)
    watch.add(one)
    assert watch.take(one)
    assert not watch.take(one)
    watch.look()
    assert one.cuts == 0


def test_who_comes_too_late_to_take_waits_until_the_answer_is_given() -> None:
    """Else a request could be told of as it was before its answer."""
    clock = Clock()
    watch = quiet(clock)
    cutting, may_end = threading.Event(), threading.Event()
    order: list[str] = []

    class Slow(Request):
        def cut(self) -> None:
            cutting.set()
            may_end.wait(60)
            order.append("answered")
            super().cut()

    one = Slow(100.0)
    watch.add(one)

    def take() -> None:
        order.append(f"taken: {watch.take(one)}")

    looker, taker = threading.Thread(target=watch.look), threading.Thread(target=take)
    looker.start()
    cutting.wait(60)
    taker.start()
    may_end.set()
    looker.join(60)
    taker.join(60)
    assert order == ["answered", "taken: False"]


def test_its_thread_rings_for_each_whatever_the_order_they_come_in() -> None:
    """The second ends before the first, of which the thread knows already."""
    watch = Watch(SYSTEM_CLOCK)
    now_s = SYSTEM_CLOCK.monotonic_s()
    far, near = Request(now_s + 3600), Request(now_s + 0.02)
    watch.add(far)
    until(lambda: watch._looks_s == far.expires_s)
    watch.add(near)
    assert near.answered.wait(60)
    assert (near.cuts, far.cuts) == (1, 0)
    assert SYSTEM_CLOCK.monotonic_s() >= near.expires_s


def test_of_many_threads_exactly_one_side_answers_for_each() -> None:
    """Requests that end in the very moments in which their time is up."""
    watch = Watch(SYSTEM_CLOCK)
    taken: list[Request] = []
    requests: list[Request] = []

    def work() -> None:
        for number in range(200):
            one = Request(SYSTEM_CLOCK.monotonic_s() + (number % 3) * 1e-5)
            requests.append(one)
            watch.add(one)
            if watch.take(one):
                taken.append(one)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(requests) == 800
    assert len(watch) == 0
    assert all(one.cuts + (one in taken) == 1 for one in requests)


def test_who_tells_holds_up_nobody() -> None:
    """A listener may take its time, and ask another machine."""
    watch, may_end = Watch(SYSTEM_CLOCK), threading.Event()

    class Tells(Request):
        def after_cut(self) -> None:
            super().after_cut()
            may_end.wait(60)

    first = Tells(0.0)
    watch.add(first)
    assert first.told.wait(60)
    second = Request(0.0)
    watch.add(second)
    assert second.answered.wait(60)
    # Nor whose thread asks who gives its answer.
    assert not watch.take(second)
    assert not second.told.is_set()
    may_end.set()
    assert second.told.wait(60)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_who_ends_the_thread_that_tells_keeps_nothing_from_others() -> None:
    watch = Watch(SYSTEM_CLOCK)
    ended: list[threading.Thread] = []

    class Ends(Request):
        def after_cut(self) -> None:
            ended.append(threading.current_thread())
            super().after_cut()
            raise SystemExit

    requests = [Ends(0.0) for _ in range(20)]
    for one in requests:
        watch.add(one)
    for one in requests:
        assert one.told.wait(60)
    for thread in ended:
        # Else it would be said in the midst of another test.
        thread.join(60)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_watch_whose_thread_was_ended_begins_anew() -> None:
    """Whatever a listener does: the next request has somebody who looks after it."""
    watch = Watch(SYSTEM_CLOCK)

    ended: list[threading.Thread] = []

    class Ends(Request):
        def cut(self) -> None:
            ended.append(threading.current_thread())
            super().cut()
            raise SystemExit

    first = Ends(0.0)
    watch.add(first)
    until(lambda: first.cuts == 1 and watch._thread is None)
    ended[0].join(60)
    second = Request(0.0)
    watch.add(second)
    assert second.answered.wait(60)
