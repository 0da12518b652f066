"""Clients of a WSGI app that send slowly, and handlers that take too long, in a real server."""

import contextlib
import http
import http.client
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from tests.system.served import GENEROUS_S, Serve, Served, until

from mainstay.core.clock import SystemClock

pytestmark = pytest.mark.system

MANY = 100
THREADS = "4"
CLOCK = SystemClock()


@contextlib.contextmanager
def dialled(one: Served, count: int, sent: bytes) -> Iterator[list[socket.socket]]:
    """Yield so many connections, over each of which ``sent`` was sent and no more."""
    with contextlib.ExitStack() as stack:
        clients = []
        for _ in range(count):
            client = socket.create_connection(("127.0.0.1", one.port), GENEROUS_S)
            clients.append(stack.enter_context(client))
            client.sendall(sent)
        yield clients


def begun(length: str, body: bytes, timeout: str = "60s") -> bytes:
    """Return a request whose body is not all there."""
    head = (
        "POST /upload HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\n"
        f"{length}\r\nX-Request-Timeout: {timeout}\r\n\r\n"
    )
    return head.encode() + body


def status_of(client: socket.socket) -> tuple[int, dict[str, object]]:
    """Return what a connection is answered, without closing it."""
    with contextlib.closing(http.client.HTTPResponse(client)) as answer:
        answer.begin()
        # It can't carry another request.
        assert answer.status != http.HTTPStatus.REQUEST_TIMEOUT or answer.will_close
        return answer.status, json.loads(answer.read())


def assert_others_are_served(one: Served, clients: list[socket.socket], *, times: int) -> None:
    """While none of these clients is answered, so that all of them are there all the time."""
    for _ in range(times):
        assert one.ask("/trace")[0] == 200
        assert one.ask("/upload", method="POST", body=b"a" * 200_000)[0] == 200
    for client in clients:
        client.settimeout(0)
        with pytest.raises(BlockingIOError):
            client.recv(1)


BODIES = pytest.mark.parametrize(
    "sent",
    [("Content-Length: 1000", b"slow"), ("Transfer-Encoding: chunked", b"4\r\nslow\r\n")],
    ids=["length", "chunked"],
)


@BODIES
def test_the_others_are_served_while_a_hundred_send_slowly(
    serve: Serve, sent: tuple[str, bytes]
) -> None:
    """Their deadline is far: nothing but that they hold no place lets the others pass."""
    one = serve("served_apps:flask_app", "--threads", THREADS).ready()
    with dialled(one, MANY, begun(*sent)) as clients:
        assert_others_are_served(one, clients, times=20)
    assert one.ask("/trace")[0] == 200


def test_who_sends_the_rest_after_all_is_served(serve: Serve) -> None:
    one = serve("served_apps:flask_app").ready()
    with dialled(one, 3, begun("Content-Length: 8", b"slow")) as clients:
        assert one.ask("/trace")[0] == 200
        for client in clients:
            client.sendall(b"poke")
            with contextlib.closing(http.client.HTTPResponse(client)) as answer:
                answer.begin()
                assert answer.status == 200
                assert b"sha256" in answer.read()


@BODIES
def test_they_are_answered_in_time_and_neither_threads_nor_the_drain_wait(
    serve: Serve, sent: tuple[str, bytes]
) -> None:
    one = serve("served_apps:flask_app", "--threads", THREADS).ready()
    with dialled(one, MANY, begun(*sent, timeout="500ms")) as clients:
        for client in clients:
            status, problem = status_of(client)
            assert (status, str(problem["type"]).rpartition("#")[2]) == (408, "body-late")
        assert one.ask("/trace")[0] == 200
        # They have not closed, as they were told to: nobody waits for that.
        begun_s = CLOCK.monotonic_s()
        one.stop()
        assert one.ended() == 0
        assert CLOCK.monotonic_s() - begun_s < 15
    assert "cutting off" not in one.err.read_text()


def test_a_long_body_that_stalls_gives_its_thread_to_others_at_the_deadline(serve: Serve) -> None:
    """More than are called at once have sent enough to be let in, and then no more."""
    one = serve("served_apps:flask_app", "--threads", THREADS).ready()
    sent = begun("Content-Length: 1000000", b"a" * 100_000, timeout="2s")
    with dialled(one, 12, sent) as clients:
        said = [status_of(client)[0] for client in clients]
        # Who found no place in time hears of overload, or that its time is up.
        assert 408 in said
        assert set(said) <= {408, 503, 504}
        until(lambda: one.answers("/trace", 200), "served again")
        for _ in range(10):
            assert one.ask("/upload", method="POST", body=b"a" * 200_000)[0] == 200


def test_a_handler_that_overruns_is_answered_at_the_moment(serve: Serve) -> None:
    """It holds its place all the same, until it is done."""
    one = serve("served_apps:flask_app", "--threads", "1", SLOW_S="6").ready()
    # Any: no header is named like an argument.
    soon: Any = {"X-Request-Timeout": "300ms"}
    status, head, body = one.ask("/slow", **soon)
    # Its line is written when it is done, and it is not.
    assert one.lines("/slow") == []
    problem = json.loads(body)
    assert (status, problem["request_id"]) == (504, head["x-request-id"])
    assert problem["type"].endswith("#deadline-exceeded")
    # Its thread is the only one: who comes now finds no place.
    assert one.ask("/trace")[0] == 503
    until(lambda: one.answers("/trace", 200), "the place is given back")
    until(lambda: one.lines("/slow") != [], "the line, once the thread is done")
    assert [line["status"] for line in one.lines("/slow")] == [504]


def test_a_stream_that_breaks_is_torn_where_its_length_was_told(serve: Serve) -> None:
    """Without a length Granian ends it as if it were whole: see ``test_serve``."""
    one = serve("served_apps:flask_app").ready()
    # Too short, or not even begun: what was written may still be in a buffer that is thrown away.
    with pytest.raises((http.client.HTTPException, OSError)):
        one.ask("/breaks-told")
    assert one.ask("/trace")[0] == 200


SERVERS = pytest.mark.parametrize("server", ["granian", "uvicorn"])


@SERVERS
@BODIES
def test_slow_senders_take_no_asgi_service_away(
    serve: Serve, server: str, sent: tuple[str, bytes]
) -> None:
    """More than admission has places: none is theirs before their bodies are here."""
    one = serve("served_apps:fastapi_app", "--server", server).ready()
    with dialled(one, 130, begun(*sent, timeout="20s")) as clients:
        assert_others_are_served(one, clients, times=10)
    with dialled(one, 3, begun(*sent, timeout="500ms")) as clients:
        for client in clients:
            status, problem = status_of(client)
            assert (status, str(problem["type"]).rpartition("#")[2]) == (408, "body-late")


@pytest.mark.parametrize(
    ("app", "server", "count"),
    [("fastapi_app", "granian", 120), ("fastapi_app", "uvicorn", 120), ("flask_app", "granian", 8)],
)
def test_clients_that_read_nothing_take_no_service_away(
    serve: Serve, app: str, server: str, count: int
) -> None:
    """A stream without end for each, of which the sockets' buffers are all that is taken."""
    words = ("--server", server) + (("--threads", THREADS) if app == "flask_app" else ())
    one = serve(f"served_apps:{app}", *words).ready()
    with dialled(one, count, b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n"):
        # Until buffers are full they are read, as far as anybody can tell.
        until(lambda: one.answers("/trace", 200), "served")
        for _ in range(20):
            until(lambda: one.answers("/trace", 200), "served all the time")
