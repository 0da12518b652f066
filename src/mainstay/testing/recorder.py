"""A listener that remembers what was emitted, for assertions."""

import threading
from typing import TypeVar

from mainstay.core.errors import MainstayError
from mainstay.core.events import Event

EVENTS_MAX = 100_000

E = TypeVar("E", bound=Event)


class RecordingIncomplete(MainstayError):
    """More events came than the recorder keeps, so that an answer about them might be wrong."""


class Recorder:
    """Add it to ``Listeners``; then ask what happened. Safe to share between threads.

    Every question below takes fields that an event must have, by equality:
    ``recorder.count(Retried, dependency="payments")``.

    Args:
        events_max: How many are kept. One more is only counted, and from then on every question
            raises ``RecordingIncomplete`` rather than answer from a part.
    """

    def __init__(self, *, events_max: int = EVENTS_MAX) -> None:
        self._events: list[Event] = []
        self._lost = 0
        self._max = events_max
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        """Record one event: what ``Listeners`` calls."""
        with self._lock:
            if len(self._events) < self._max:
                self._events.append(event)
            else:
                self._lost += 1

    def all(self) -> tuple[Event, ...]:
        """Return every event, in the order they came.

        Raises:
            RecordingIncomplete: More came than are kept; so do all the questions below.
        """
        with self._lock:
            if self._lost:
                raise RecordingIncomplete(
                    f"{self._lost} events came after the first {self._max}: "
                    "clear() in between, or take a larger events_max"
                )
            return tuple(self._events)

    def of(self, kind: type[E], /, **fields: object) -> tuple[E, ...]:
        """Return the events of a type (or below it) that have these fields."""
        return tuple(
            event for event in self.all() if isinstance(event, kind) and _has(event, fields)
        )

    def count(self, kind: type[Event] = Event, /, **fields: object) -> int:
        """Return how many events of a type have these fields."""
        return len(self.of(kind, **fields))

    def only(self, kind: type[E], /, **fields: object) -> E:
        """Return the one event of a type that has these fields.

        Raises:
            AssertionError: There is none, or more than one; the sentence says what came instead.
        """
        found = self.of(kind, **fields)
        if len(found) != 1:
            came = ", ".join(self.names()[-20:]) or "nothing"
            raise AssertionError(
                f"{len(found)} events are {kind.__name__} with {fields}, not one; last came: {came}"
            )
        return found[0]

    def names(self) -> tuple[str, ...]:
        """Return the class names in the order they came: the story in one line."""
        return tuple(type(event).__name__ for event in self.all())

    def clear(self) -> None:
        """Forget everything, the loss included."""
        with self._lock:
            self._events.clear()
            self._lost = 0


def _has(event: Event, fields: dict[str, object]) -> bool:
    # A misspelt field must fail the test, not match nothing.
    return all(getattr(event, name) == value for name, value in fields.items())
