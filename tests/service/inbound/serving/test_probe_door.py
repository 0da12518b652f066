"""Probes at a port of their own: answered whatever the app's loop does, and bounded."""

import asyncio
import errno
import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
from tests.service.inbound.polling import until

from mainstay.core import at_once
from mainstay.core.clock import SYSTEM_CLOCK
from mainstay.core.events import Listeners
from mainstay.service.inbound.health.board import Board
from mainstay.service.inbound.health.check import Check
from mainstay.service.inbound.health.probes import FIGURES, Probes
from mainstay.service.inbound.serving.probe_door import (
    CONNECTION_S,
    CONNECTIONS_MAX,
    HEAD_BYTES_MAX,
    Opened,
    ProbeDoor,
    listen,
    question_of,
)
from mainstay.service.inbound.serving.stuck import STUCK_S, LoopStuck, Stuck
from mainstay.service.inbound.serving.turns import Turns
from mainstay.service.inbound.stopping.drain import Drain
from mainstay.testing import VirtualClock

GENEROUS_S = 60.0


class AppLoop:
    """A loop that runs in a thread of its own, and can be held up."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self._free = threading.Event()

    def hold(self) -> None:
        """Have it do nothing else until it is let go."""
        held = threading.Event()

        def wait() -> None:
            held.set()
            self._free.wait(GENEROUS_S)

        self.loop.call_soon_threadsafe(wait)
        assert held.wait(GENEROUS_S)

    def let_go(self) -> None:
        self._free.set()
        turned = threading.Event()
        self.loop.call_soon_threadsafe(turned.set)
        assert turned.wait(GENEROUS_S)

    def close(self) -> None:
        self._free.set()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


def gets_on() -> None:
    """Say that nothing is stuck."""


class World:
    """A service's probes behind a door."""

    def __init__(self, app: AppLoop | None) -> None:
        self.complaints: list[str] = []
        self.clock = VirtualClock()
        self.drain = Drain(delay_s=0, bound_s=20, clock=self.clock, events=Listeners())
        self.drain.started = True
        self.board = Board(clock=self.clock, cache_s=3600.0)
        probes = Probes(
            path="/health", service="s", version="1", board=self.board, drain=self.drain
        )
        probes.routes["/metrics"] = FIGURES
        listener = listen("127.0.0.1", 0)
        self.port: int = listener.getsockname()[1]
        loop: asyncio.AbstractEventLoop | None = None
        stuck: Stuck = gets_on
        if app is not None:
            loop, stuck = app.loop, LoopStuck(app.loop, self.clock.monotonic_s)
        self.is_open = True
        self.look: Callable[[], bool] = lambda: self.is_open
        self.door = ProbeDoor(
            probes,
            listener,
            stuck=stuck,
            is_open=self._looked,
            turns=Turns(),
            loop=loop,
            clock=self.clock,
            complain=self.complaints.append,
        )
        self.door.start()

    def _looked(self) -> bool:
        return self.look()

    def ask(self, path: str, method: str = "GET") -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=GENEROUS_S)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=GENEROUS_S)


@pytest.fixture
def app() -> Iterator[AppLoop]:
    one = AppLoop()
    yield one
    one.close()


@pytest.fixture
def world(app: AppLoop) -> Iterator[World]:
    one = World(app)
    yield one
    one.door.close()


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/health/live", "GET", 200),
        ("/health/ready?verbose=1", "GET", 200),
        ("/health", "HEAD", 200),
        ("/health/ready", "POST", 405),
        ("/", "GET", 404),
        ("/metrics", "GET", 404),
        ("/health/group/none", "GET", 404),
    ],
)
def test_what_is_asked(world: World, path: str, method: str, status: int) -> None:
    """Metrics and the app are not behind this door."""
    said = world.ask(path, method)
    assert said[0] == status
    assert (b'"status"' in said[1]) == (status == 200 and method == "GET")


def test_a_service_that_leaves_is_not_ready_here_either(world: World) -> None:
    world.drain.stopping = True
    status, body = world.ask("/health/ready")
    assert (status, json.loads(body)["output"]) == (503, "draining")
    assert world.ask("/health/live")[0] == 200


def test_nothing_is_ready_whose_own_port_is_closed(world: World) -> None:
    """Servers start the app before they listen, and whoever is sent there then is refused."""
    world.is_open = False
    for path in ("/health/ready", "/health/startup", "/health"):
        status, body = world.ask(path)
        assert (status, json.loads(body)["output"]) == (503, "starting")
    assert world.ask("/health/live")[0] == 200
    world.is_open = True
    assert world.ask("/health/ready")[0] == 200


def test_a_port_is_looked_at_until_it_is_open() -> None:
    with socket.socket() as own:
        own.bind(("127.0.0.1", 0))
        is_open = Opened(*own.getsockname())
        assert not is_open()
        own.listen(0)
        callers = [socket.create_connection(own.getsockname())]
        assert is_open(), "although nobody takes the callers in"
    callers[0].close()
    assert is_open(), "who has been seen once is not asked for again"


def test_who_was_ended_in_the_same_round_is_not_heard_again() -> None:
    """The door is busy with one while checks for another end, and that one leaves."""
    world, checked, looked, go_on = World(None), *(threading.Event() for _ in range(3))
    world.board.add(
        Check(name="c", run=lambda: checked.wait(GENEROUS_S), critical=True, timeout_s=60.0)
    )
    with world.connect() as leaves, world.connect() as holds:
        leaves.sendall(b"GET /health/ready HTTP/1.1\r\n\r\n")
        until(lambda: any(talk.waits for talk in list(world.door._open)))

        def look() -> bool:
            looked.set()
            return go_on.wait(GENEROUS_S)

        world.look = look
        holds.sendall(b"GET /health/startup HTTP/1.1\r\n\r\n")
        assert looked.wait(GENEROUS_S)
        checked.set()
        until(lambda: len(world.door._done) == 1)
        leaves.close()
        go_on.set()
        assert holds.recv(64).startswith(b"HTTP/1.1 200 ")
    assert world.ask("/health/live")[0] == 200
    world.door.close()
    assert world.complaints == []


def test_one_probe_that_breaks_something_ends_alone(world: World) -> None:
    def look() -> bool:
        raise ValueError("broken")

    world.look = look
    with pytest.raises(http.client.HTTPException):
        world.ask("/health/ready")
    with pytest.raises(http.client.HTTPException):
        world.ask("/health/ready")
    assert world.ask("/health/live")[0] == 200
    assert world.complaints == ["mainstay: a probe is not answered, by a ValueError\n"]


@pytest.mark.parametrize("more", [b"{}", None])
def test_who_waits_for_checks_is_answered_whatever_follows(more: bytes | None) -> None:
    world, checked = World(None), threading.Event()
    world.board.add(
        Check(name="c", run=lambda: checked.wait(GENEROUS_S), critical=True, timeout_s=60.0)
    )
    with world.connect() as wire:
        wire.sendall(b"GET /health/ready HTTP/1.1\r\n\r\n")
        until(lambda: any(talk.waits for talk in list(world.door._open)))
        if more is None:
            wire.shutdown(socket.SHUT_WR)
        else:
            wire.sendall(more)
        assert world.ask("/health/live")[0] == 200
        checked.set()
        assert wire.recv(64).startswith(b"HTTP/1.1 200 ")
    world.door.close()


def test_a_default_timeout_of_the_app_holds_nobody_up(world: World) -> None:
    socket.setdefaulttimeout(GENEROUS_S)
    try:
        with world.connect():
            until(lambda: len(world.door._open) == 1)
            began_s = SYSTEM_CLOCK.monotonic_s()
            assert world.ask("/health/live")[0] == 200
            assert SYSTEM_CLOCK.monotonic_s() - began_s < GENEROUS_S / 2
    finally:
        socket.setdefaulttimeout(None)


def test_where_a_look_is_not_possible_the_port_is_not_called_open() -> None:
    assert not Opened("no-such-name.invalid", 80)()


def test_a_busy_loop_holds_no_probe_up(world: World, app: AppLoop) -> None:
    world.board.add(Check(name="c", run=lambda: True, critical=True, timeout_s=5.0))
    assert world.ask("/health/ready")[0] == 200
    app.hold()
    for _ in range(3):
        assert world.ask("/health/ready")[0] == 200


def test_a_loop_that_does_not_turn_is_told(world: World, app: AppLoop) -> None:
    app.hold()
    assert world.ask("/health/live")[0] == 200
    world.clock.advance(STUCK_S + 0.1)
    for path in ("/health/live", "/health/ready"):
        status, body = world.ask(path)
        assert (status, json.loads(body)["output"]) == (503, "the event loop is stuck")
    app.let_go()
    assert world.ask("/health/live")[0] == 200


def test_a_check_that_nobody_ran_is_run_in_the_apps_loop(world: World, app: AppLoop) -> None:
    ran_in: list[threading.Thread] = []

    async def check() -> bool:
        await asyncio.sleep(0)
        ran_in.append(threading.current_thread())
        return False

    world.board.add(Check(name="c", run=check, critical=True, timeout_s=30.0))
    assert world.ask("/health/ready")[0] == 503
    assert ran_in == [app.thread]


def test_who_waits_for_a_check_holds_nobody_else_up(world: World, app: AppLoop) -> None:
    world.board.add(Check(name="c", run=lambda: True, critical=True, timeout_s=30.0))
    app.hold()
    with world.connect() as waiting:
        waiting.sendall(b"GET /health/ready HTTP/1.1\r\n\r\n")
        assert world.ask("/health/live")[0] == 200
        app.let_go()
        assert waiting.recv(64).startswith(b"HTTP/1.1 200 ")


def test_without_a_loop_checks_run_in_threads() -> None:
    world = World(None)
    world.board.add(Check(name="c", run=lambda: False, critical=True, timeout_s=30.0))
    assert world.ask("/health/ready")[0] == 503
    world.door.close()


@pytest.mark.parametrize(
    "said",
    [
        b"\r\n\r\n",
        b"GET /health/live HTTP/2\r\n\r\n",
        b"\xff\0 \r\n\r\n",
        b"x" * (HEAD_BYTES_MAX + 1),
    ],
    ids=["empty", "another protocol", "bytes", "too long"],
)
def test_what_is_no_question_is_refused(world: World, said: bytes) -> None:
    with world.connect() as wire:
        wire.sendall(said)
        assert wire.recv(64).startswith(b"HTTP/1.1 400 ")
    assert world.ask("/health/live")[0] == 200


def test_silent_connections_keep_nobody_out(world: World) -> None:
    """The oldest goes for one that comes when all places are taken."""
    silent = [world.connect() for _ in range(CONNECTIONS_MAX + 5)]
    try:
        assert world.ask("/health/live")[0] == 200
        assert silent[0].recv(1) == b""
    finally:
        for one in silent:
            one.close()


def test_a_connection_has_its_time(world: World, app: AppLoop) -> None:
    with world.connect() as drips:
        drips.sendall(b"GET /health/")
        assert world.ask("/health/live")[0] == 200
        # The loop was asked by that whether it turns, and must have said so before time goes on.
        app.let_go()
        world.clock.advance(CONNECTION_S)
        # Whoever comes next has the door look; else it looks by itself after as long.
        assert world.ask("/health/live")[0] == 200
        assert drips.recv(1) == b""


def test_a_question_may_come_in_pieces(world: World) -> None:
    with world.connect() as wire:
        for piece in (b"GET /health/live HT", b"TP/1.1\r\nhost: a\r", b"\n\r\n"):
            wire.sendall(piece)
            assert world.ask("/health/live")[0] == 200
        assert wire.recv(64).startswith(b"HTTP/1.1 200 ")


def test_a_process_without_files_does_not_spin(monkeypatch: pytest.MonkeyPatch) -> None:
    accept, tries = at_once.accept, []

    def accept_the_fourth(listener: socket.socket) -> socket.socket:
        tries.append(listener)
        if len(tries) < 4:
            raise OSError(errno.EMFILE, "too many open files")
        return accept(listener)

    monkeypatch.setattr(at_once, "accept", accept_the_fourth)
    world = World(None)
    began_s = SYSTEM_CLOCK.monotonic_s()
    assert world.ask("/health/live")[0] == 200
    assert len(tries) == 4
    assert SYSTEM_CLOCK.monotonic_s() - began_s >= 0.1
    world.door.close()


@pytest.mark.parametrize(
    ("head", "question"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", ("GET", "/")),
        (b"HEAD /a?b=c HTTP/1.0\r\nhost: a\r\n\r\n", ("HEAD", "/a")),
        (b"GET  / HTTP/1.1\r\n\r\n", None),
        (b"GET /\r\n\r\n", None),
        (b"", None),
    ],
)
def test_the_question_of_a_head(head: bytes, question: tuple[str, str] | None) -> None:
    assert question_of(head) == question


def test_the_port_must_be_free() -> None:
    with listen("127.0.0.1", 0) as first, pytest.raises(OSError, match="in use"):
        listen("127.0.0.1", first.getsockname()[1])
