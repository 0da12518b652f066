"""Listeners that fail, and nobody else with them."""

import io
import sys

import pytest

from mainstay.core.events import Event, Listeners

EVENT = Event(at_s=0.0)


class Full(io.StringIO):
    """A stream that takes nothing more."""

    def write(self, text: str) -> int:
        raise BrokenPipeError(text)


def closed() -> io.StringIO:
    stream = io.StringIO()
    stream.close()
    return stream


def broken(event: Event) -> None:
    raise LookupError(event)


@pytest.mark.parametrize("stream", [None, closed(), Full()], ids=["none", "closed", "full"])
def test_a_listener_that_fails_hurts_nobody_where_nobody_can_be_told(
    monkeypatch: pytest.MonkeyPatch, stream: io.StringIO | None
) -> None:
    """As in a process without a console, or one whose stderr was closed."""
    heard: list[Event] = []
    listeners = Listeners()
    listeners.add(broken)
    listeners.add(heard.append)
    monkeypatch.setattr(sys, "stderr", stream)
    listeners.emit(EVENT)
    assert heard == [EVENT]
