"""Which thread answers a request that a server has brought."""

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from tests.service.inbound.polling import until

from mainstay.service.inbound.serving.answering import lend_answers
from mainstay.service.inbound.serving.crew import Crew
from mainstay.service.inbound.serving.workers import Workers
from mainstay.service.inbound.wsgi.watch import ANSWER_KEY

ASKED = {"REQUEST_METHOD": "GET", "PATH_INFO": "/items", "SERVER_PROTOCOL": "HTTP/1.1"}


class Protocol:
    """Takes one answer, as Granian's does."""

    def __init__(self) -> None:
        self.said: list[tuple[int, Any, bytes]] = []

    def response_bytes(self, status: int, headers: Any, body: bytes) -> None:
        if not self.said:
            self.said.append((status, headers, body))


class World:
    """A server whose wrapper notes which thread it is called in."""

    def __init__(self) -> None:
        self.threads: list[int] = []
        self.gate = threading.Event()
        self.fails = False
        server = SimpleNamespace(_wsgi_call_wrap=self._wrap)
        self.crew = Crew()
        self.workers = Workers(1, 4, wait=lambda _: None, late=self.crew.all_hands)
        lend_answers(server, self.workers, self.crew, {"/health/live"})
        self.lent: Callable[[Any, dict[str, Any]], None] = server._wsgi_call_wrap("app", {})

    def _wrap(self, *arguments: Any) -> Callable[[Any, dict[str, Any]], None]:
        assert arguments == ("app", {})

        def call(protocol: Protocol, scope: dict[str, Any]) -> None:
            self.threads.append(threading.get_ident())
            if self.fails:
                raise SystemExit
            if scope["PATH_INFO"] == "/waits":
                assert self.gate.wait(60)
            scope[ANSWER_KEY](200, [], b"ok")

        return call

    def ask(self, **more: str) -> Protocol:
        protocol = Protocol()
        self.lent(protocol, {**ASKED, **more})
        until(lambda: bool(protocol.said))
        return protocol

    @property
    def is_here(self) -> bool:
        """Whether the last one was answered in the thread that brought it."""
        return self.threads[-1] == threading.get_ident()


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"CONTENT_LENGTH": "0"},
        {"CONTENT_LENGTH": "00"},
        {"CONTENT_LENGTH": ""},
        {"REQUEST_METHOD": "DELETE"},
        {"SERVER_PROTOCOL": "HTTP/2"},
        {"SERVER_PROTOCOL": "HTTP/1"},
    ],
)
def test_what_has_no_body_is_handed_on(world: World, more: dict[str, str]) -> None:
    """So nothing stays that the bound of bodies does not count."""
    assert world.ask(**more).said == [(200, [], b"ok")]
    assert not world.is_here


@pytest.mark.parametrize(
    "more",
    [
        {"CONTENT_LENGTH": "3"},
        {"CONTENT_LENGTH": "no number"},
        {"HTTP_TRANSFER_ENCODING": "chunked"},
        {"SERVER_PROTOCOL": "HTTP/2", "REQUEST_METHOD": "POST"},
        {"PATH_INFO": "/health/live"},
    ],
)
def test_what_has_one_stays_and_so_do_probes(world: World, more: dict[str, str]) -> None:
    assert world.ask(**more).said == [(200, [], b"ok")]
    assert world.is_here


def test_while_requests_are_late_they_stay(world: World) -> None:
    for _ in range(8):
        world.lent(Protocol(), {**ASKED, "PATH_INFO": "/waits"})
    until(lambda: world.workers.is_late)
    world.ask()
    assert world.is_here
    assert world.crew.resting == 0
    world.gate.set()
    until(lambda: len(world.threads) == 9)
    # The one that finds that nobody waits any more is the last that stays.
    until(lambda: world.ask().said[0][0] == 200 and not world.workers.is_late)
    world.ask()
    assert not world.is_here


@pytest.mark.parametrize("more", [{}, {"CONTENT_LENGTH": "3"}], ids=["handed on", "stays"])
def test_what_ends_without_an_answer_is_answered(
    world: World, more: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    world.fails = True
    if more:
        with pytest.raises(SystemExit):
            world.ask(**more)
    else:
        assert world.ask().said == [(500, [], b"")]
        until(lambda: "a thread of the server heard a SystemExit" in capfd.readouterr().err)
    world.fails = False
    assert world.ask(**more).said == [(200, [], b"ok")]
