"""A handler of WSGI that overruns: its client hears of it at once, where the server allows that."""

import json
import threading
from collections.abc import Iterable, Iterator
from typing import Any

from tests.service.inbound.polling import until
from tests.service.inbound.wsgi.threaded import Server, World

from mainstay.core.clock import SYSTEM_CLOCK, SystemClock
from mainstay.core.deadline import remaining_s
from mainstay.core.errors import DeadlineExceeded
from mainstay.service.inbound.inbound import RequestRefused
from mainstay.spec.inbound import Inbound

SOON = Inbound(deadline_s=0.02)


class Late:
    """An app that goes on when its client has been answered, and then does as it was told."""

    def __init__(self, server: Server, world: World) -> None:
        self.server, self.world = server, world
        self.held: list[tuple[int, int]] = []
        self.left_s: list[float | None] = []
        self.closed = 0

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        assert self.server.answered.wait(60)
        self.held.append(self.world.in_flight)
        self.left_s.append(remaining_s())
        path = environ["PATH_INFO"]
        if path == "/raises":
            raise LookupError("secret")
        if path == "/late-call":
            raise DeadlineExceeded("not done", begun=True)
        write = start_response("200 OK", [("Content-Type", "text/plain")])
        if path == "/writes":
            write(b"written")
        return self if path == "/streams" else [b"late"]

    def __iter__(self) -> Iterator[bytes]:
        yield b"never asked for"

    def close(self) -> None:
        self.closed += 1


def late(path: str = "/", inbound: Inbound = SOON, **more: str) -> tuple[Server, World, Late]:
    server, world = Server(), World(inbound)
    app = Late(server, world)
    assert server.ask(world.service.wsgi(app), path, **more) == b""
    return server, world, app


def test_the_client_is_answered_at_once_and_what_the_app_says_goes_nowhere() -> None:
    server, world, app = late()
    ((status, headers, body),) = server.given
    problem = json.loads(body)
    assert (status, problem["status"]) == (504, 504)
    assert problem["type"].endswith("#deadline-exceeded")
    assert headers["x-request-id"] == problem["request_id"]
    assert headers["x-content-type-options"] == "nosniff"
    assert int(headers["content-length"]) == len(body)
    assert server.begun == []
    assert app.left_s == [0.0]
    assert world.told == [(504, len(body), "deadline-exceeded")]
    until(lambda: RequestRefused in map(type, world.events))
    refused = [one for one in world.events if isinstance(one, RequestRefused)]
    assert [(one.status, one.trace_id) for one in refused] == [(504, problem["trace_id"])]


class Meddling(SystemClock):
    """A clock that has an app say its own whenever the watch looks at the time."""

    def __init__(self) -> None:
        self.flights: list[Any] = []

    def monotonic_s(self) -> float:
        if threading.current_thread().name == "mainstay-deadlines":
            for flight in self.flights:
                flight.status, flight._said = 200, "200 OK"
                flight._headers = [("Content-Length", "4")]
        return SYSTEM_CLOCK.monotonic_s()


def test_what_the_app_says_in_the_very_moment_is_not_mixed_in() -> None:
    """An app that is past the question whether it is too late says status and length of its own."""
    server, clock = Server(), Meddling()
    world = World(SOON, clock)

    def app(environ: Any, start_response: Any) -> list[bytes]:
        clock.flights.append(environ["mainstay.exchange"])
        assert server.answered.wait(60)
        return [b"late"]

    server.ask(world.service.wsgi(app))
    ((status, headers, body),) = server.given
    assert (status, int(headers["content-length"])) == (504, len(body))
    assert [status for status, _, _ in world.told] == [504]


def test_its_thread_holds_its_place_until_it_is_done() -> None:
    _, world, app = late()
    assert app.held == [(1, 1)]
    assert world.in_flight == (0, 0)


def test_the_answer_to_head_has_no_body() -> None:
    server, _, _ = late(REQUEST_METHOD="HEAD")
    ((status, headers, body),) = server.given
    assert (status, body) == (504, b"")
    assert int(headers["content-length"]) > 0


def test_a_stream_that_comes_too_late_is_closed_and_not_begun() -> None:
    server, world, app = late("/streams")
    assert (len(server.given), server.begun, app.closed) == (1, [], 1)
    assert world.in_flight == (0, 0)


def test_what_old_apps_write_too_late_goes_nowhere() -> None:
    server, world, _ = late("/writes")
    assert (len(server.given), server.begun) == (1, [])
    assert [status for status, _, _ in world.told] == [504]


def test_an_error_after_the_answer_is_told_to_people_only() -> None:
    server, world, _ = late("/raises")
    assert len(server.given) == 1
    assert b"secret" not in server.given[0][2]
    assert [type(error) for error in world.failed] == [LookupError]
    assert [status for status, _, _ in world.told] == [504]


def test_a_call_that_ended_with_the_deadline_is_no_error() -> None:
    _, world, _ = late("/late-call")
    assert world.failed == []


def test_a_stream_that_has_begun_is_not_cut() -> None:
    """The time is up long before its last part."""
    server, world = Server(), World(SOON)
    shell = world.service.wsgi(lambda _, start: _parts(start))

    def _parts(start: Any) -> Iterator[bytes]:
        start("200 OK", [])
        yield b"first"
        threading.Event().wait(0.1)
        yield b"second"

    for _ in range(20):
        body = server.ask(shell)
        if not server.given:
            break
        # A busy machine: not even the first part was in time.
        server, world.told[:] = Server(), []
    assert body == b"firstsecond"
    assert world.told == [(200, 11, None)]


def test_a_generator_whose_first_part_comes_too_late_is_answered_for() -> None:
    server, world = Server(), World(SOON)

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        assert server.answered.wait(60)
        start_response("200 OK", [])
        yield b"late"

    assert server.ask(world.service.wsgi(app)) == b""
    assert [status for status, _, _ in server.given] == [504]
    assert world.in_flight == (0, 0)


def test_under_a_server_that_lends_nothing_the_answer_comes_when_the_app_returns() -> None:
    server, world = Server(lends=False), World(SOON)

    def app(environ: Any, start_response: Any) -> list[bytes]:
        until(lambda: remaining_s() == 0.0)
        start_response("200 OK", [])
        return [b"late"]

    problem = json.loads(server.ask(world.service.wsgi(app)))
    assert server.begun == ["504 Gateway Timeout"]
    assert problem["type"].endswith("#deadline-exceeded")


def test_an_app_in_time_is_answered_by_itself_alone() -> None:
    server, world = Server(), World(Inbound())

    def app(environ: Any, start_response: Any) -> list[bytes]:
        assert "mainstay.answer" not in environ
        start_response("200 OK", [])
        return [b"in time"]

    shell = world.service.wsgi(app)
    assert server.ask(shell) == b"in time"
    assert (server.given, server.begun) == ([], ["200 OK"])
    assert len(shell._watch) == 0


def test_the_environ_holds_no_circle_once_a_request_has_ended() -> None:
    """Else each request, with all that the framework hung on it, would wait for the collector."""
    kept: list[Any] = []
    world = World(Inbound())

    def app(environ: Any, start_response: Any) -> list[bytes]:
        kept.append(environ)
        start_response("200 OK", [])
        return [b""]

    Server().ask(world.service.wsgi(app))
    assert "mainstay.exchange" not in kept[0]
