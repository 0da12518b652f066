import gc
import threading

import pytest

from mainstay import Bulkhead
from mainstay.service.outbound.adapters.place import Lost, Place
from mainstay.service.outbound.bulkhead import Slots


def taken(limit: int = 2, per_key: int | None = None) -> Slots:
    """Slots of which one is taken by a call that is going on."""
    slots = Slots(Bulkhead(limit=limit, per_key=per_key))
    if per_key is None:
        slots.free.pop()
    return slots


@pytest.mark.parametrize("per_key", [None, 2])
def test_a_place_outlives_its_call(per_key: int | None) -> None:
    slots = taken(per_key=per_key)
    if per_key is not None:
        slots.hold(None)  # Stands for the call's own slot.
    place = Place(slots, Lost())
    slots.give_back(None)
    assert slots.in_flight() == 1
    place.give_back()
    assert slots.in_flight() == 0


def test_it_is_given_back_once() -> None:
    slots = taken()
    place = Place(slots, Lost())
    slots.give_back(None)
    threads = [threading.Thread(target=place.give_back) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert slots.in_flight() == 0
    assert len(slots.free) == 2


def test_one_that_is_thrown_away_comes_back_with_the_next_call() -> None:
    slots, lost = taken(), Lost()
    place = Place(slots, lost)
    slots.give_back(None)
    del place
    gc.collect()
    assert slots.in_flight() == 1
    lost.give_back()
    assert slots.in_flight() == 0
    lost.give_back()
    assert slots.in_flight() == 0
