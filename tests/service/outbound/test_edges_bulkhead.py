"""Slots that are held on, owed and counted by key: none is lost or invented."""

from collections import deque

import pytest

from mainstay.service.outbound.bulkhead import Bulkhead, Slots


class Queued:
    """A waiter that remembers whether it was granted a slot."""

    def __init__(self, key: str | None = None) -> None:
        self.key = key
        self.grants = 0

    def grant(self) -> None:
        self.grants += 1


def test_a_held_slot_is_one_more_in_flight_until_it_is_given_back() -> None:
    slots = Slots(Bulkhead(limit=2, queue=2))
    slots.free.pop()
    slots.hold(None)
    slots.hold(None)
    assert (slots.in_flight(), slots.attention) == (3, True)
    slots.give_back(None)
    assert slots.in_flight() == 2
    waiter = Queued()
    assert slots.join(waiter)
    assert waiter.grants == 0
    slots.give_back(None)
    assert (slots.in_flight(), waiter.grants) == (2, 1)
    slots.give_back(None)
    slots.give_back(None)
    assert (slots.in_flight(), slots.attention, len(slots.free)) == (0, False, 2)


def test_a_held_slot_counts_against_its_key() -> None:
    slots = Slots(Bulkhead(limit=4, per_key=2, queue=4))
    slots.hold("a")
    assert slots.in_flight() == 1
    slots.hold("a")
    slots.hold(None)
    assert slots.in_flight() == 3
    third, other = Queued("a"), Queued("b")
    assert slots.join(third)
    assert slots.join(other)
    assert (slots.in_flight(), third.grants, other.grants) == (4, 0, 1)
    slots.give_back("a")
    assert third.grants == 1
    for key in ("a", "a", "b", None):
        slots.give_back(key)
    assert (slots.in_flight(), slots._by_key) == (0, {})


def test_two_more_waiters_than_the_queue_are_two_refused() -> None:
    slots = Slots(Bulkhead(limit=1, queue=2))
    assert not slots.attention
    slots.free.pop()
    waiters = [Queued() for _ in range(4)]
    assert [slots.join(waiter) for waiter in waiters] == [True, True, False, False]
    assert (slots.waiting(), slots.attention) == (2, True)
    assert slots.leave(waiters[0])
    assert slots.leave(waiters[1])
    assert (slots.waiting(), slots.attention) == (0, False)
    assert not slots.leave(waiters[2])


def test_without_a_queue_a_free_slot_is_taken_and_a_second_call_refused() -> None:
    slots = Slots(Bulkhead(limit=1))
    first, second = Queued(), Queued()
    assert slots.join(first)
    assert not slots.join(second)
    assert (first.grants, second.grants, slots.attention) == (1, 0, False)
    assert not slots.leave(first)


def test_nobody_has_left_a_queue_that_nobody_joined() -> None:
    slots = Slots(Bulkhead(limit=1))
    assert slots.leave(Queued()) is False
    assert slots.waiting() == 0


def test_who_passes_over_a_full_key_keeps_the_order_of_the_rest() -> None:
    slots = Slots(Bulkhead(limit=2, per_key=1, queue=5))
    waiters = [Queued(key) for key in ("a", "a", "a", "b", "b")]
    assert all(slots.join(waiter) for waiter in waiters)
    assert [waiter.grants for waiter in waiters] == [1, 0, 0, 1, 0]
    slots.give_back("a")
    assert [waiter.grants for waiter in waiters] == [1, 1, 0, 1, 0]
    slots.give_back("a")
    assert [waiter.grants for waiter in waiters] == [1, 1, 1, 1, 0]
    assert slots.waiting() == 1


@pytest.mark.parametrize("per_key", [None, 9])
def test_a_limit_that_sinks_and_rises_while_slots_are_taken(per_key: int | None) -> None:
    def options(limit: int) -> Bulkhead:
        return Bulkhead(limit=limit, queue=9, per_key=per_key)

    slots = Slots(options(4))
    holding = [Queued() for _ in range(3)]
    assert all(slots.join(waiter) for waiter in holding)
    for limit in (1, 2, 2, 5, 3):
        slots.reconfigure(options(limit))
        assert slots.in_flight() == 3
        assert slots.options.limit == limit
    slots.reconfigure(options(5))
    late = [Queued() for _ in range(3)]
    assert all(slots.join(waiter) for waiter in late)
    assert [waiter.grants for waiter in late] == [1, 1, 0]


def test_slots_by_key_are_always_given_back_under_the_lock() -> None:
    keyed, plain = Slots(Bulkhead(limit=2, per_key=1)), Slots(Bulkhead(limit=2))
    assert (keyed.keyed, len(keyed.free), plain.keyed, len(plain.free)) == (True, 0, False, 2)
    assert keyed.join(Queued("a"))
    assert keyed.attention


def test_a_limit_that_was_lowered_while_nobody_waited_holds_afterwards() -> None:
    slots = Slots(Bulkhead(limit=3))
    assert all(slots.join(Queued()) for _ in range(3))
    slots.reconfigure(Bulkhead(limit=1))
    for left in (2, 1, 0):
        slots.give_back(None)
        assert slots.in_flight() == left
    # Calls take a free slot by themselves: what is owed must not lie among the free ones.
    assert len(slots.free) == 1
    assert [slots.join(Queued()) for _ in range(2)] == [True, False]


def test_one_held_slot_is_owed() -> None:
    slots = Slots(Bulkhead(limit=1))
    assert slots.join(Queued())
    slots.hold(None)
    slots.give_back(None)
    assert len(slots.free) == 0
    assert (slots.in_flight(), slots.join(Queued())) == (1, False)
    slots.give_back(None)
    assert (slots.in_flight(), slots.join(Queued())) == (0, True)


def test_a_waiter_is_announced_before_it_looks_for_a_slot() -> None:
    """Or a slot that comes back in between would be seen by neither of the two."""
    announced: list[bool] = []

    class Watched(deque[None]):
        def pop(self) -> None:  # type: ignore[override]  # None is all there is in it.
            announced.append(slots.attention)
            super().pop()

    slots = Slots(Bulkhead(limit=1))
    slots.free = Watched([None])
    assert slots.join(Queued())
    assert announced == [True]
