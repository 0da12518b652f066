"""Which threads of a server take requests, and which rest."""

import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue

import pytest
from tests.service.inbound.polling import until

from mainstay.service.inbound.serving import crew as crew_module
from mainstay.service.inbound.serving.crew import Crew

GENEROUS_S = 60.0


class Member:
    """A thread of a server, which does one thing after another as it is told."""

    def __init__(self, crew: Crew) -> None:
        self.crew = crew
        self.done = 0
        self._told = SimpleQueue[Callable[[], None] | None]()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        while (told := self._told.get(timeout=GENEROUS_S)) is not None:
            told()
            self.done += 1

    def hand_on(self) -> None:
        self._told.put(self.crew.handed_on)

    def stay(self) -> None:
        self._told.put(self.crew.stay)

    def come_back(self) -> None:
        self._told.put(self.crew.come_back)

    def end(self) -> None:
        self._told.put(None)


@pytest.fixture
def crew() -> Crew:
    return Crew()


@pytest.fixture
def members(crew: Crew) -> Iterator[list[Member]]:
    made = [Member(crew) for _ in range(4)]
    yield made
    for one in made:
        one.end()
    while crew.resting:
        # Whoever rests goes on when another one stays.
        crew.stay()
    for one in made:
        one.thread.join(GENEROUS_S)
        assert not one.thread.is_alive()


def have_rest(crew: Crew, first: Member, *others: Member) -> None:
    """Have one hand a request on, and then others, who rest after that."""
    done = first.done
    first.hand_on()
    until(lambda: first.done == done + 1)
    for count, one in enumerate(others, 1):
        one.hand_on()
        until(lambda: crew.resting == count)  # noqa: B023  Asked at once.


def test_one_takes_requests_and_the_others_rest(crew: Crew, members: list[Member]) -> None:
    first, *others = members
    have_rest(crew, first, *others)
    first.hand_on()
    until(lambda: first.done == 2)
    assert [one.done for one in others] == [0, 0, 0]


def test_who_stays_has_one_in_its_place(crew: Crew, members: list[Member]) -> None:
    first, second, third, _ = members
    have_rest(crew, first, second, third)
    first.stay()
    # The one that went to rest last.
    until(lambda: third.done == 1)
    assert (crew.resting, second.done) == (1, 0)
    first.come_back()
    first.hand_on()
    until(lambda: crew.resting == 2)
    assert first.done == 3


def test_who_stays_when_nobody_rests_hurts_nobody(crew: Crew, members: list[Member]) -> None:
    first, second, *_ = members
    first.stay()
    until(lambda: first.done == 1)
    second.hand_on()
    until(lambda: second.done == 1)
    first.come_back()
    until(lambda: first.done == 2)
    second.hand_on()
    until(lambda: crew.resting == 1)


def test_a_thread_that_has_ended_is_not_counted(crew: Crew, members: list[Member]) -> None:
    first, second, *_ = members
    first.hand_on()
    until(lambda: first.done == 1)
    first.end()
    first.thread.join(GENEROUS_S)
    second.hand_on()
    until(lambda: second.done == 1)


def test_nobody_rests_for_ever(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew_module, "REST_S", 0.001)
    crew.handed_on()
    other = threading.Thread(target=crew.handed_on)
    other.start()
    other.join(GENEROUS_S)
    assert not other.is_alive()
    assert crew.resting == 0


def test_all_are_called_and_rest_again(crew: Crew, members: list[Member]) -> None:
    first, second, third, _ = members
    have_rest(crew, first, second, third)
    crew.all_hands()
    until(lambda: second.done == third.done == 1)
    assert crew.resting == 0
    second.hand_on()
    third.hand_on()
    until(lambda: crew.resting == 2)
    first.hand_on()
    until(lambda: first.done == 2)
