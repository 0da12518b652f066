"""A policy on virtual time, and what it told: for tests that hold it to the word."""

import dataclasses
from collections.abc import Callable
from typing import Any

from mainstay import (
    Policy,
    Retry,
)
from mainstay.core.events import Event
from mainstay.testing import Recorder, VirtualClock

NAME = "payments"


class Heard:
    """A policy on virtual time, and what it told, as tuples of a kind and its fields."""

    def __init__(self, **parts: Any) -> None:
        self.clock = VirtualClock()
        self.recorder = Recorder()
        self.policy = Policy(name=NAME, clock=self.clock, seed=1, **parts)
        self.policy.events.add(self.recorder)

    def told(self) -> list[tuple[object, ...]]:
        found = [fields_of(event) for event in self.recorder.all()]
        self.recorder.clear()
        return found

    def taking(self, seconds: float, *outcomes: object) -> Callable[[], Any]:
        """Return a function that takes so long each time, and raises or returns what is said."""
        left = list(outcomes)

        def call() -> Any:
            self.clock.sleep(seconds)
            outcome = left.pop(0) if len(left) > 1 else left[0]
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome

        return call


def fields_of(event: Event) -> tuple[object, ...]:
    fields = dataclasses.asdict(event)
    assert fields.pop("dependency") == NAME
    del fields["at_s"]
    rounded = (round(one, 6) if isinstance(one, float) else one for one in fields.values())
    return (type(event).__name__, *rounded)


def retry(**options: Any) -> Retry:
    return Retry(**{"attempts": 3, "backoff": (0.1, 0.4), "jitter": "none", **options})
