"""How a request in a thread ends: told after its answer, closed always, always answered for."""

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from tests.service.inbound.polling import until
from tests.service.inbound.wsgi.threaded import Server, World

from mainstay.core.errors import MainstayError
from mainstay.core.events import Event
from mainstay.service.inbound.handler_ended import HandlerEnded
from mainstay.service.inbound.inbound import RequestRefused
from mainstay.spec.inbound import Inbound
from mainstay.spec.perimeter import Errors

SOON = Inbound(deadline_s=0.02)
Raised = Callable[[], BaseException]


class Parts:
    """A body that raises after its parts, or stops until it may go on."""

    def __init__(
        self, *parts: Any, error: BaseException | None = None, gate: threading.Event | None = None
    ) -> None:
        self.parts, self.error, self.gate = list(parts), error, gate
        self.closed = 0

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        if self.parts:
            return self.parts.pop(0)
        if self.gate is not None:
            assert self.gate.wait(60)
        if self.error is not None:
            raise self.error
        raise StopIteration

    def close(self) -> None:
        self.closed += 1


def answering(body: Any, status: str | None = "200 OK") -> Any:
    """Return an app that gives a body, whether it has said how its answer begins or not."""

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        if status is not None:
            start_response(status, [("Content-Type", "text/plain")])
        given: Iterable[bytes] = body
        return given

    return app


def failed(server: Server, body: bytes) -> bool:
    """Return whether the client got the problem of an error that nobody handled."""
    problem = json.loads(body)
    return server.begun == ["500 Internal Server Error"] and problem["type"].endswith(
        "#internal-error"
    )


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_listener_that_takes_its_time_keeps_no_answer_from_others() -> None:
    """Nor does one that ends its thread."""
    world, may_end = World(SOON), threading.Event()
    heard: list[Event] = []

    def listener(event: Event) -> None:
        heard.append(event)
        may_end.wait(60)
        raise SystemExit

    world.service.events.add(listener)

    def app(environ: Any, start_response: Any) -> list[bytes]:
        # It returns only once its client has been answered.
        assert environ["server"].answered.wait(60)
        return [b""]

    shell, servers = world.service.wsgi(app), [Server() for _ in range(3)]
    for server in servers:
        assert server.ask(shell, server=server) == b""
    assert [status for server in servers for status, _, _ in server.given] == [504] * 3
    assert [status for status, _, _ in world.told] == [504] * 3
    may_end.set()
    until(lambda: len([one for one in heard if isinstance(one, RequestRefused)]) == 3)


@pytest.mark.parametrize("status", [None, "500 Oops", "404 Not Found"])
@pytest.mark.parametrize("lends", [False, True])
def test_a_body_is_closed_whatever_its_parts_do(status: str | None, *, lends: bool) -> None:
    """PEP 3333 owes it that; a session of a database hangs on it."""
    world, server = World(Inbound(errors=Errors(app="problem"))), Server(lends=lends)
    body = Parts(*([] if status is None else [b"part"]), error=LookupError("secret"))
    got = server.ask(world.service.wsgi(answering(body, status)))
    assert failed(server, got)
    assert body.closed == 1
    assert [type(error) for error in world.failed] == [LookupError]
    assert world.in_flight == (0, 0)


def test_a_body_that_can_not_be_closed_is_told_and_answered_for() -> None:
    world, server = World(Inbound()), Server()

    class Stuck(Parts):
        def close(self) -> None:
            raise KeyError("the session is gone")

    got = server.ask(world.service.wsgi(answering(Stuck(error=LookupError()), None)))
    assert failed(server, got)
    assert [type(error) for error in world.failed] == [KeyError, LookupError]


@pytest.mark.parametrize("status", ["500 Oops", "503 Service Unavailable"])
def test_the_deadline_holds_while_an_error_is_read(status: str) -> None:
    """Its client has nothing yet."""
    world = World(Inbound(deadline_s=0.02, errors=Errors(app="problem")))
    server = Server()
    body = Parts(b"part", gate=server.answered)
    assert server.ask(world.service.wsgi(answering(body, status))) == b""
    assert [given[0] for given in server.given] == [504]
    assert (server.begun, body.closed) == ([], 1)
    assert [status for status, _, _ in world.told] == [504]


@pytest.mark.parametrize("make", [lambda: SystemExit(3), GeneratorExit])
def test_what_is_no_exception_is_a_problem_and_told_once(make: Raised) -> None:
    world, server, error = World(Inbound()), Server(), make()

    def app(environ: Any, start_response: Any) -> list[bytes]:
        raise error

    assert failed(server, server.ask(world.service.wsgi(app)))
    assert world.failed == [error]
    assert world.in_flight == (0, 0)


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ([b"x"], None, HandlerEnded),
        (None, "200 OK", TypeError),
        (["text"], "200 OK", TypeError),
        (b"not a list", "200 OK", TypeError),
        ("text", "200 OK", TypeError),
    ],
)
def test_what_is_no_answer_is_a_problem(
    body: Any, status: str | None, kind: type[Exception]
) -> None:
    world, server = World(Inbound()), Server()
    assert failed(server, server.ask(world.service.wsgi(answering(body, status))))
    assert [type(error) for error in world.failed] == [kind]
    assert world.in_flight == (0, 0)


def test_a_stream_of_texts_is_torn_off_and_told() -> None:
    world, server = World(Inbound()), Server()
    with pytest.raises(TypeError):
        server.ask(world.service.wsgi(answering(Parts(b"bytes", "text"))))
    assert [type(error) for error in world.failed] == [TypeError]
    assert world.in_flight == (0, 0)


def test_what_has_begun_is_torn_off_by_an_error_that_ends_no_thread() -> None:
    world, server = World(Inbound()), Server()

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        environ["mainstay.exchange"].begin()
        raise SystemExit(3)

    with pytest.raises(HandlerEnded) as raised:
        server.ask(world.service.wsgi(app))
    assert isinstance(raised.value, MainstayError)
    assert isinstance(raised.value.__cause__, SystemExit)
