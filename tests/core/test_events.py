"""Listeners that fail, and nobody else with them."""

import io
import sys
import threading

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


def exiting(event: Event) -> None:
    raise SystemExit(3)


def test_a_listener_that_exits_ends_no_thread_of_ours(capsys: pytest.CaptureFixture[str]) -> None:
    """It would end that thread alone, silently, and never the process."""
    heard: list[Event] = []
    listeners = Listeners()
    listeners.add(exiting)
    listeners.add(heard.append)
    thread = threading.Thread(target=listeners.emit, args=(EVENT,))
    thread.start()
    thread.join()
    assert heard == [EVENT]
    assert "SystemExit(3)" in capsys.readouterr().err


def test_the_main_thread_may_be_ended_within_a_listener() -> None:
    """Else a signal whose handler exits would be lost whenever it comes at that moment."""
    listeners = Listeners()
    listeners.add(exiting)
    with pytest.raises(SystemExit):
        listeners.emit(EVENT)
