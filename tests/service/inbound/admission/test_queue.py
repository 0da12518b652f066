"""The queue: bounded, by priority, newest first under overload; equal to a naive model."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.service.inbound.admission.made import CRITICAL, HIGH, LOW, MEDIUM

from mainstay.service.inbound.admission.priorities import NOBODY
from mainstay.service.inbound.admission.queue import Queue

NOW_S = 1_000.0


@dataclass(eq=False)
class Waiting:
    """A waiter that remembers what it was told."""

    priority: int = MEDIUM
    granted: bool | None = None

    def settle(self, *, granted: bool) -> bool:
        self.granted = granted
        return True


def queue_of(*priorities: int, size: int = 10) -> tuple[Queue, list[Waiting]]:
    queue = Queue(size, 1.0)
    waiting = [Waiting(priority) for priority in priorities]
    for one in waiting:
        assert queue.join(one, NOW_S) is None
    return queue, waiting


def test_the_oldest_goes_first() -> None:
    queue, waiting = queue_of(MEDIUM, MEDIUM, MEDIUM)
    assert [queue.take(NOW_S) for _ in waiting] == waiting


def test_the_most_important_goes_before_the_oldest() -> None:
    queue, (low, medium, critical, high) = queue_of(LOW, MEDIUM, CRITICAL, HIGH)
    assert [queue.take(NOW_S) for _ in range(4)] == [critical, high, medium, low]


def test_under_overload_the_newest_goes_first_and_the_wait_is_a_twentieth() -> None:
    queue, waiting = queue_of(MEDIUM, MEDIUM, MEDIUM)
    assert not queue.overloaded(NOW_S + 0.999)
    assert queue.wait_s(NOW_S + 0.999) == 1.0
    assert queue.overloaded(NOW_S + 1.0)
    assert queue.wait_s(NOW_S + 1.0) == pytest.approx(0.05)
    assert [queue.take(NOW_S + 1.0) for _ in waiting] == waiting[::-1]


def test_overload_ends_when_nobody_waits() -> None:
    queue, (one,) = queue_of(MEDIUM)
    assert queue.overloaded(NOW_S + 2.0)
    assert queue.take(NOW_S + 2.0) is one
    assert not queue.overloaded(NOW_S + 2.0)
    queue.join(Waiting(), NOW_S + 2.5)
    assert not queue.overloaded(NOW_S + 3.4)
    assert queue.overloaded(NOW_S + 3.5)


def test_a_full_queue_turns_away_who_is_no_more_important() -> None:
    queue, _ = queue_of(MEDIUM, MEDIUM, size=2)
    for newcomer in (Waiting(MEDIUM), Waiting(LOW)):
        assert queue.join(newcomer, NOW_S) is newcomer
    assert len(queue) == 2


def test_of_a_full_queue_the_oldest_of_the_least_important_makes_room() -> None:
    queue, (medium, low, later_low) = queue_of(MEDIUM, LOW, LOW, size=3)
    assert queue.join(Waiting(HIGH), NOW_S) is low
    assert queue.join(Waiting(HIGH), NOW_S) is later_low
    assert queue.join(Waiting(HIGH), NOW_S) is medium
    newcomer = Waiting(HIGH)
    assert queue.join(newcomer, NOW_S) is newcomer


def test_a_queue_of_one_is_not_empty_while_its_place_changes_hands() -> None:
    queue, (low,) = queue_of(LOW, size=1)
    assert queue.join(Waiting(HIGH), NOW_S + 0.9) is low
    assert queue.overloaded(NOW_S + 1.0)


def test_nobody_waits_in_a_queue_without_places() -> None:
    queue, one = Queue(0, 1.0), Waiting(CRITICAL)
    assert queue.join(one, NOW_S) is one
    assert queue.head == NOBODY


def test_where_a_short_wait_is_none_a_queue_that_moves_on_is_no_overload() -> None:
    """Somebody always waits, and nobody for longer than that: the oldest goes first throughout."""
    queue = Queue(10, 1.0, 0.1)
    older = Waiting()
    queue.join(older, NOW_S)
    for step in range(1, 100):
        now_s = NOW_S + 0.05 * step
        newer = Waiting()
        queue.join(newer, now_s)
        assert not queue.overloaded(now_s)
        assert queue.take(now_s) is older
        older = newer


def test_where_a_short_wait_is_none_overload_begins_with_longer_ones() -> None:
    queue = Queue(10, 1.0, 0.1)
    first, second, third = Waiting(), Waiting(LOW), Waiting()
    queue.join(first, NOW_S)
    queue.join(second, NOW_S + 0.3)
    # The second has waited for 0.2 s, the first is gone: from here on there was no moment without.
    assert queue.take(NOW_S + 0.5) is first
    queue.join(third, NOW_S + 1.05)
    assert not queue.overloaded(NOW_S + 1.09)
    assert queue.overloaded(NOW_S + 1.1)
    assert queue.take(NOW_S + 1.2) is third
    assert queue.overloaded(NOW_S + 1.2)
    assert queue.take(NOW_S + 1.3) is second
    assert not queue.overloaded(NOW_S + 1.3)


@dataclass
class Model:
    """The laws of the queue, as plainly as they can be said."""

    size: int
    wait_s: float
    waiting: list[Waiting] = field(default_factory=list)
    since_s: float | None = None

    def join(self, one: Waiting, now_s: float) -> Waiting | None:
        gone = None
        if len(self.waiting) == self.size:
            lowest = max([each.priority for each in self.waiting], default=CRITICAL)
            if lowest <= one.priority:
                return one
            gone = next(each for each in self.waiting if each.priority == lowest)
        if not self.waiting:
            self.since_s = now_s
        self.waiting.append(one)
        if gone is not None:
            self.waiting.remove(gone)
        return gone

    def overloaded(self, now_s: float) -> bool:
        return self.since_s is not None and now_s - self.since_s >= self.wait_s

    def take(self, now_s: float) -> Waiting:
        first = [each for each in self.waiting if each.priority == self.head]
        one = first[-1 if self.overloaded(now_s) else 0]
        self.remove(one)
        return one

    def remove(self, one: Waiting) -> None:
        self.waiting.remove(one)
        if not self.waiting:
            self.since_s = None

    @property
    def head(self) -> int:
        return min([each.priority for each in self.waiting], default=NOBODY)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["join", "join", "take", "remove"]),
        st.integers(CRITICAL, LOW),
        st.integers(0, 100),
        st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    ),
    max_size=60,
)


@given(size=st.integers(0, 6), steps=STEPS)
def test_it_does_as_the_model_does(size: int, steps: list[tuple[str, int, int, float]]) -> None:
    queue, model, now_s = Queue(size, 1.0), Model(size, 1.0), NOW_S
    for act, priority, which, passes_s in steps:
        now_s += passes_s
        if act == "join":
            one = Waiting(priority)
            assert queue.join(one, now_s) is model.join(one, now_s)
        elif model.waiting and act == "take":
            assert queue.take(now_s) is model.take(now_s)
        elif model.waiting:
            gone = model.waiting[which % len(model.waiting)]
            queue.remove(gone)
            model.remove(gone)
        assert len(queue) == len(model.waiting) <= size
        assert queue.head == model.head
        assert queue.overloaded(now_s) == model.overloaded(now_s)
