"""A place in the bulkhead that is held beyond the call which got it.

A streamed answer holds one to the end of its body, a connection to a database until it is back.
"""

from collections import deque

from mainstay.service.outbound.bulkhead import Slots
from mainstay.service.outbound.context import current_key


class Lost:
    """Places of answers and connections that were thrown away, until the next call gives them back.

    Bounded by the bulkhead: a place is in it at most once.
    """

    __slots__ = ("_places",)

    def __init__(self) -> None:
        self._places: deque[tuple[Slots, str | None]] = deque()

    def add(self, slots: Slots, key: str | None) -> None:
        """Remember a place. Takes no lock, since the garbage collector calls it at any moment."""
        self._places.append((slots, key))

    def give_back(self) -> None:
        """Give all of them back."""
        while self._places:
            try:
                slots, key = self._places.popleft()
            except IndexError:
                return  # Another thread was faster.
            slots.give_back(key)


class Place:
    """One place, held until ``give_back``. Make it within the call, which gives its own back.

    Args:
        slots: Of the bulkhead.
        lost: Where it is noted if nobody gives it back.
    """

    __slots__ = ("_key", "_lost", "_owed")

    def __init__(self, slots: Slots, lost: Lost) -> None:
        self._key = current_key() if slots.keyed else None
        self._lost = lost
        # One item, taken out by whoever comes first: a body may end in one thread and be closed
        # in another.
        self._owed = deque([slots])
        slots.hold(self._key)

    def give_back(self) -> None:
        """Give the place back; once, however often it is called."""
        try:
            slots = self._owed.popleft()
        except IndexError:
            return
        slots.give_back(self._key)

    def __del__(self) -> None:
        while self._owed:
            self._lost.add(self._owed.popleft(), self._key)
