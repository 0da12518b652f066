import threading
from dataclasses import dataclass

import pytest

from mainstay.core.events import Event, Listeners
from mainstay.testing import Recorder, RecordingIncomplete


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened(Event):
    dependency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedAgain(Opened):
    times: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed(Event):
    dependency: str


EVENTS = (
    Opened(at_s=1.0, dependency="a"),
    Closed(at_s=2.0, dependency="a"),
    OpenedAgain(at_s=3.0, dependency="b", times=2),
)


@pytest.fixture
def recorder() -> Recorder:
    recorder = Recorder()
    listeners = Listeners()
    listeners.add(recorder)
    for event in EVENTS:
        listeners.emit(event)
    return recorder


def test_everything_in_order(recorder: Recorder) -> None:
    assert recorder.all() == EVENTS
    assert recorder.names() == ("Opened", "Closed", "OpenedAgain")


def test_by_type_and_field(recorder: Recorder) -> None:
    assert recorder.of(Opened) == (EVENTS[0], EVENTS[2])
    assert recorder.of(Opened, dependency="b") == (EVENTS[2],)
    assert recorder.count() == 3
    assert recorder.count(Closed, dependency="b") == 0
    assert recorder.only(OpenedAgain).times == 2


def test_a_misspelt_field_is_an_error(recorder: Recorder) -> None:
    with pytest.raises(AttributeError, match="dependancy"):
        recorder.count(Opened, dependancy="a")


def test_only_tells_what_came_instead(recorder: Recorder) -> None:
    with pytest.raises(AssertionError, match=r"2 events are Opened.*Opened, Closed, OpenedAgain"):
        recorder.only(Opened)
    with pytest.raises(AssertionError, match="0 events are Closed"):
        recorder.only(Closed, dependency="b")


def test_it_never_answers_from_a_part() -> None:
    recorder = Recorder(events_max=2)
    for event in EVENTS:
        recorder(event)
    with pytest.raises(RecordingIncomplete, match="1 events came after the first 2"):
        recorder.count(Opened)
    recorder.clear()
    recorder(EVENTS[1])
    assert recorder.all() == (EVENTS[1],)


def test_eight_threads_lose_nothing() -> None:
    recorder = Recorder()

    def emit() -> None:
        for _ in range(1_000):
            recorder(EVENTS[0])

    threads = [threading.Thread(target=emit) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert recorder.count(Opened) == 8_000
