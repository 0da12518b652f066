"""Bodies of WSGI requests: waited for before a place is taken, and not beyond the deadline."""

import io
import json
import threading
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.service.inbound.polling import until
from tests.service.inbound.wsgi.threaded import Server, World

from mainstay.service.inbound.slow_clients import FIRST_BYTES
from mainstay.service.inbound.wsgi.arriving import Arriving
from mainstay.spec.inbound import Inbound

SOON = Inbound(deadline_s=0.02)


class Slow:
    """A server's input: what has come, and then it waits for what the client has not sent.

    Args:
        come: What is there.
        goes_on: Returns when the client does, or leaves.
    """

    def __init__(self, come: bytes, goes_on: Callable[[], object]) -> None:
        self._come = io.BytesIO(come)
        self._goes_on = goes_on

    def read(self, size: int = -1) -> bytes:
        part = self._come.read(size)
        if not part:
            self._goes_on()
        return part

    def readline(self, size: int = -1) -> bytes:
        raise NotImplementedError


class Reads:
    """An app that reads by the way that it is given, and notes what it has."""

    def __init__(self, world: World, read: Callable[[Any], object] | None = None) -> None:
        self.world = world
        self.read = read or (lambda body: body.read())
        self.had: list[object] = []
        self.calls = 0

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        self.calls += 1
        self.had.append(self.read(environ["wsgi.input"]))
        start_response("200 OK", [])
        return [b"done"]


def post(length: int | None, stream: Any) -> dict[str, Any]:
    """Return an environ with a body: with a length, or in chunks."""
    how = (
        {"HTTP_TRANSFER_ENCODING": "chunked"} if length is None else {"CONTENT_LENGTH": str(length)}
    )
    return {
        "REQUEST_METHOD": "POST",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.input": stream,
        "wsgi.input_terminated": True,
        **how,
    }


SIZES = [1, 1000, FIRST_BYTES - 1, FIRST_BYTES, FIRST_BYTES + 1, 3 * FIRST_BYTES + 7]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_of_any_length_is_read_whole(size: int, *, chunked: bool) -> None:
    data = bytes(index % 251 for index in range(size))
    world, server = World(Inbound()), Server()
    app = Reads(world)
    environ = post(None if chunked else size, io.BytesIO(data))
    assert server.ask(world.service.wsgi(app), **environ) == b"done"
    assert app.had == [data]


LINES = st.lists(st.binary(max_size=40), max_size=8)
STEPS = st.lists(
    st.tuples(st.sampled_from(["read", "readline"]), st.integers(-1, 200_000)), max_size=8
)


@given(start=st.integers(0, FIRST_BYTES + 10), lines=LINES, steps=STEPS, chunked=st.booleans())
def test_it_reads_as_a_file_does(
    start: int, lines: list[bytes], steps: list[tuple[str, int]], *, chunked: bool
) -> None:
    data = b"x" * start + b"\n".join(lines)
    world, expected = World(Inbound()), io.BytesIO(data)

    def read(body: Any) -> list[bytes]:
        return [getattr(body, how)(size) for how, size in steps] + list(body)

    app = Reads(world, read)
    environ = post(None if chunked else len(data), io.BytesIO(data))
    assert Server().ask(world.service.wsgi(app), **environ) == b"done"
    assert app.had == [read(expected)]


def test_nothing_is_read_beyond_the_length() -> None:
    """What follows on the connection is another request."""
    for size in SIZES:
        stream = io.BytesIO(b"a" * size + b"next")
        world = World(Inbound())
        app = Reads(world)
        Server().ask(world.service.wsgi(app), **post(size, stream))
        assert app.had == [b"a" * size]
        assert stream.read() == b"next"


class Stalled:
    """A client that has sent some of its body, and then waits for the answer.

    Attributes:
        held: What the service held when it began to wait, and when it was answered.
    """

    def __init__(self, length: int | None, come: bytes, deadline_s: float) -> None:
        self.world, self.server = World(Inbound(deadline_s=deadline_s)), Server()
        self.app = Reads(self.world)
        self.held: list[tuple[int, int]] = []
        self.was_in_time = False
        environ = post(length, Slow(come, self.wait))
        assert self.server.ask(self.world.service.wsgi(self.app), **environ) == b""

    def wait(self) -> None:
        self.held.append(self.world.in_flight)
        self.was_in_time = self.was_in_time or not self.server.answered.is_set()
        assert self.server.answered.wait(60)
        # What it held is given back after that, by a thread of its own.
        until(lambda: self.world.in_flight[0] == 0)
        self.held.append(self.world.in_flight)


def stalled(length: int | None, come: bytes) -> Stalled:
    """Return one that was in time to begin; on a busy machine that may take more time."""
    for deadline_s in (0.02, 0.1, 0.5, 2.5, 12.5):
        one = Stalled(length, come, deadline_s)
        if one.was_in_time:
            return one
    pytest.fail("nothing began within its time")


@pytest.mark.parametrize("length", [100, 10 * FIRST_BYTES, None])
def test_a_client_that_sends_nothing_holds_no_place_and_is_answered_in_time(
    length: int | None,
) -> None:
    one = stalled(length, b"")
    ((status, headers, body),) = one.server.given
    assert (status, headers["connection"]) == (408, "close")
    assert json.loads(body)["type"].endswith("#body-late")
    assert one.app.calls == 0
    # The drain doesn't wait for it either, once it was answered.
    assert one.held == [(0, 1), (0, 0)]
    assert [(status, kind) for status, _, kind in one.world.told] == [(408, "body-late")]


@pytest.mark.parametrize("length", [3 * FIRST_BYTES, None])
def test_an_app_that_waits_for_the_rest_gives_its_place_back_when_the_time_is_up(
    length: int | None,
) -> None:
    one = stalled(length, b"a" * FIRST_BYTES)
    assert [status for status, _, _ in one.server.given] == [408]
    assert one.held == [(1, 1), (0, 0)]
    # The app was ended by what it reads, which nobody is to be told of.
    assert (one.app.calls, one.app.had, one.world.failed) == (1, [], [])
    assert one.world.in_flight == (0, 0)


@pytest.mark.parametrize("size", [5, FIRST_BYTES])
def test_under_any_server_a_read_that_ends_too_late_is_the_last(size: int) -> None:
    """As under gunicorn, where no thread but the request's can answer."""
    world, server = World(SOON), Server(lends=False)
    app = Reads(world)
    pause = threading.Event()
    environ = post(3 * FIRST_BYTES, Slow(b"a" * size, lambda: pause.wait(0.1)))
    problem = json.loads(server.ask(world.service.wsgi(app), **environ))
    assert server.begun == ["408 Request Timeout"]
    assert problem["type"].endswith("#body-late")
    assert world.in_flight == (0, 0)


@pytest.mark.parametrize(("length", "come"), [(100, 5), (100, 0), (3 * FIRST_BYTES, 5)])
def test_a_client_that_leaves_in_the_middle_does_not_reach_the_app(length: int, come: int) -> None:
    """Granian says only that there is no more; half a body must not pass for a whole one."""
    world, server = World(Inbound()), Server()
    app = Reads(world)
    problem = json.loads(
        server.ask(world.service.wsgi(app), **post(length, io.BytesIO(b"a" * come)))
    )
    assert server.begun == ["400 Bad Request"]
    assert problem["type"].endswith("#body-incomplete")
    assert app.calls == 0


def test_half_of_a_long_body_does_not_pass_for_the_whole() -> None:
    world, server = World(Inbound()), Server()
    app = Reads(world)
    come = io.BytesIO(b"a" * (2 * FIRST_BYTES))
    problem = json.loads(server.ask(world.service.wsgi(app), **post(3 * FIRST_BYTES, come)))
    assert server.begun == ["400 Bad Request"]
    assert problem["type"].endswith("#body-incomplete")
    assert (app.calls, app.had, world.failed) == (1, [], [])


def test_a_server_that_raises_for_a_client_that_left_is_understood() -> None:
    world, server = World(Inbound()), Server()

    class Broken(Slow):
        def read(self, size: int = -1) -> bytes:
            raise ConnectionResetError

    app = Reads(world)
    server.ask(world.service.wsgi(app), **post(10, Broken(b"", print)))
    assert (server.begun, app.calls) == (["400 Bad Request"], 0)


def test_a_body_in_chunks_above_the_bound_is_a_413_before_the_app_is_asked() -> None:
    world, server = World(Inbound(body_bytes_max=1000)), Server()
    app = Reads(world)
    server.ask(world.service.wsgi(app), **post(None, io.BytesIO(b"a" * 1001)))
    assert (server.begun, app.calls) == (["413 Request Entity Too Large"], 0)


def test_there_is_a_bound_of_bodies_that_are_waited_for() -> None:
    """One more is refused at once; what has no body isn't touched by that."""
    world, server = World(Inbound(deadline_s=60.0)), Server()
    app = Reads(world, lambda body: None)
    shell = world.service.wsgi(app)
    shell._arriving = Arriving(shell.inbound, shell._watch, arriving_max=1)
    waits, goes_on = threading.Event(), threading.Event()

    def wait() -> None:
        waits.set()
        goes_on.wait(60)

    slow = threading.Thread(target=Server().ask, args=(shell,), kwargs=post(11, Slow(b"a", wait)))
    slow.start()
    assert waits.wait(60)
    server.ask(shell, **post(5, io.BytesIO(b"abcde")))
    server.ask(shell, "/without", **{"wsgi.input": io.BytesIO()})
    assert server.begun == ["503 Service Unavailable", "200 OK"]
    goes_on.set()
    slow.join(60)
    server.ask(shell, **post(5, io.BytesIO(b"abcde")))
    assert server.begun[-1] == "200 OK"


def test_without_a_length_and_without_an_end_nothing_is_read_ahead() -> None:
    """Some servers give no end to an input without a length: to read would be to wait for ever."""
    world, server = World(Inbound()), Server()

    def never() -> None:
        raise AssertionError("read")

    app = Reads(world, lambda body: None)
    environ = post(None, Slow(b"", never))
    del environ["wsgi.input_terminated"]
    assert server.ask(world.service.wsgi(app), **environ) == b"done"
