"""When the threads of a WSGI app are stuck, and when they are merely busy."""

import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from tests.service.conftest import FakeClock
from tests.service.inbound.polling import until

from mainstay.service.inbound.serving.places import fitted
from mainstay.service.inbound.serving.stuck import STUCK_S, ThreadsStuck
from mainstay.service.inbound.serving.turns import Turns
from mainstay.service.inbound.wsgi.watch import ANSWER_KEY
from mainstay.service.service import Service
from mainstay.spec.inbound import Inbound
from mainstay.spec.shed import Shed

DEADLINE_S = 5.0
PLACES = 2


class World:
    """An app of two places, whose calls last until they are let go."""

    def __init__(self, service: Service, clock: FakeClock) -> None:
        self.clock = clock
        self.shell = fitted(service.wsgi(self._app), PLACES, Turns())
        inbound = self.shell.inbound
        assert inbound.admission is not None
        self.stuck = ThreadsStuck(inbound.admission, inbound.drain, inbound.now_s)
        self.gates: list[threading.Event] = []
        self.threads: list[threading.Thread] = []

    def _app(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        gate = threading.Event()
        self.gates.append(gate)
        if environ["PATH_INFO"] == "/stream":
            start_response("200 OK", [])
            return self._streamed(gate)
        gate.wait(60)
        start_response("200 OK", [])
        return [b"done"]

    def _streamed(self, gate: threading.Event) -> Iterator[bytes]:
        yield b"begun"
        gate.wait(60)
        yield b"done"

    def ask(self, path: str = "/") -> None:
        """Ask in a thread; return when the app works on it."""

        def run() -> None:
            # As Granian does: whoever knows the answer may give it.
            environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path, ANSWER_KEY: lambda *_: None}
            body = self.shell(environ, lambda *_: None)
            list(body)
            if not isinstance(body, list):
                body.close()  # type: ignore[attr-defined]  # A stream's own.

        before = len(self.gates)
        self.threads.append(threading.Thread(target=run))
        self.threads[-1].start()
        until(lambda: len(self.gates) == before + 1)

    def pass_time(self, seconds: float) -> None:
        """Let time pass, and those be answered whose time is up."""
        self.clock.now_s += seconds
        self.shell._watch.look()

    def let_go(self) -> None:
        for gate in self.gates:
            gate.set()
        for thread in self.threads:
            thread.join(60)


@pytest.fixture(params=[Shed(), Shed(mode="fixed"), None], ids=["adaptive", "fixed", "off"])
def world(
    request: pytest.FixtureRequest, make_service: Callable[..., Service], clock: FakeClock
) -> Iterator[World]:
    usual_s = sys.getswitchinterval()
    declared = Inbound(shed=request.param, deadline_s=DEADLINE_S)
    one = World(make_service(inbound=declared), clock)
    yield one
    one.let_go()
    # Where nothing is shed, threads take turns more often.
    sys.setswitchinterval(usual_s)


def test_all_that_are_in_are_late(world: World) -> None:
    for _ in range(PLACES):
        world.ask()
    world.pass_time(DEADLINE_S + STUCK_S)
    assert world.stuck() is None
    world.pass_time(0.1)
    assert world.stuck() == "every thread is stuck"


def test_it_ends_when_one_is_done(world: World) -> None:
    for _ in range(PLACES):
        world.ask()
    world.pass_time(DEADLINE_S + STUCK_S + 0.1)
    world.gates[0].set()
    world.threads[0].join(60)
    assert world.stuck() is None


def test_while_there_is_room_nobody_is_stuck(world: World) -> None:
    assert world.stuck() is None
    world.ask()
    world.pass_time(DEADLINE_S + STUCK_S + 0.1)
    assert world.stuck() is None


def test_who_is_within_its_time_is_at_work(world: World) -> None:
    world.ask()
    world.pass_time(DEADLINE_S + STUCK_S + 0.1)
    world.ask()
    assert world.stuck() is None


def test_a_long_answer_is_work(world: World) -> None:
    world.ask()
    world.ask("/stream")
    world.pass_time(10 * DEADLINE_S)
    assert world.stuck() is None
