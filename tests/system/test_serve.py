"""Real servers around real apps: what passes through, and how a process ends."""

import base64
import hashlib
import http.client
import json
import os
import pty
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.ports import free_port
from tests.system.served import (
    GENEROUS_S,
    HERE,
    OURS,
    Client,
    Serve,
    in_background,
    until,
)

from mainstay.core.clock import SystemClock

pytestmark = pytest.mark.system

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE_ID}-00f067aa0ba902b7-01"

ASGI_APPS = ("fastapi_app", "starlette_app", "plain_asgi_app")
WSGI_APPS = ("flask_app", "plain_wsgi_app")
EVERY = [
    *((app, server) for app in ASGI_APPS for server in ("granian", "uvicorn")),
    *((app, "granian") for app in WSGI_APPS),
]
DRAINED = [("fastapi_app", "granian"), ("fastapi_app", "uvicorn"), ("flask_app", "granian")]


@pytest.mark.parametrize(("app", "server"), EVERY)
def test_what_passes_through_a_shell(serve: Serve, app: str, server: str) -> None:
    """The same of every framework and server: trace, upload, stream, failure, line."""
    one = serve(f"served_apps:{app}", "--server", server).ready()
    status, _, body = one.ask("/trace", traceparent=TRACEPARENT)
    assert (status, json.loads(body)["trace_id"]) == (200, TRACE_ID)

    data = os.urandom(3_000_000)
    _, _, body = one.ask("/upload", method="POST", body=data)
    assert json.loads(body)["sha256"] == hashlib.sha256(data).hexdigest()

    _, _, events = one.ask("/events", traceparent=TRACEPARENT)
    assert events == b"".join(f"data: {number} {TRACE_ID}\n\n".encode() for number in range(5))

    status, _, body = one.ask("/boom?token=secret", traceparent=TRACEPARENT)
    assert status == 500
    assert b"secret" not in body
    assert b"Traceback" not in body
    if app.startswith("plain"):
        assert json.loads(body)["trace_id"] == TRACE_ID

    if app in WSGI_APPS:
        # Granian ends a WSGI stream that broke as if it were whole; only its log tells.
        assert one.ask("/breaks")[2] == b"begun"
    else:
        with pytest.raises((http.client.HTTPException, OSError)):
            one.ask("/breaks")
    assert one.ask("/health/live")[0] == 200

    one.stop()
    assert one.ended() == 0
    said = {path: one.lines(path) for path in ("/trace", "/upload", "/events", "/boom", "/breaks")}
    assert all(len(lines) == 1 for lines in said.values()), said
    assert said["/trace"][0]["trace_id"] == TRACE_ID
    assert said["/events"][0]["bytes"] == len(events)
    assert said["/boom"][0]["status"] == 500
    assert said["/breaks"][0]["error"] == "LookupError"
    told = one.out.read_text() + one.err.read_text()
    assert "token=secret" not in told
    assert told.count("LookupError: secret detail") == 1
    # An answer that is torn off is torn by the server, which tells of it too, without any id.
    assert one.out.read_text().count("LookupError: broken off") == 1
    assert one.err.read_text().count("LookupError: broken off") <= 1
    assert one.lines("/health/live") == []


def test_a_websocket_passes(serve: Serve) -> None:
    one = serve("served_apps:starlette_app").ready()
    key = base64.b64encode(os.urandom(16)).decode()
    with socket.create_connection(("127.0.0.1", one.port), GENEROUS_S) as client:
        client.sendall(
            f"GET /echo HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        stream = client.makefile("rb")
        assert b" 101 " in stream.readline()
        while stream.readline() != b"\r\n":
            pass
        # A text frame of one byte, masked with zeros, as a client must.
        client.sendall(b"\x81\x81\0\0\0\0A")
        assert stream.read(3) == b"\x81\x01A"
        assert stream.read(1) == b"\x88"
    until(lambda: len(one.lines("/echo")) == 1, "the line of the websocket")
    assert one.lines("/echo")[0]["status"] == 101


def test_a_client_that_leaves_does_no_harm(serve: Serve) -> None:
    one = serve("served_apps:fastapi_app").ready()
    for path in ("/slow", "/events"):
        with socket.create_connection(("127.0.0.1", one.port), GENEROUS_S) as client:
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    with socket.create_connection(("127.0.0.1", one.port), GENEROUS_S) as client:
        client.sendall(b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc")
    assert one.ask("/trace")[0] == 200
    one.stop()
    assert one.ended() == 0


@pytest.mark.parametrize(("app", "server"), DRAINED)
def test_sigterm_finishes_what_is_in_flight(serve: Serve, app: str, server: str) -> None:
    """Fifty slow requests begin, the process is asked to stop, and all fifty are answered."""
    one = serve(f"served_apps:{app}", "--server", server, "--threads", "64", SLOW_S="3").ready()
    results, join = in_background(lambda: one.ask("/slow")[0], 50)
    until(lambda: one.ask("/held")[2] == b"50", "fifty in flight")
    one.stop()
    until(lambda: one.answers("/health/ready", 503), "unready")
    status, head, body = one.ask("/health/ready")
    assert (status, json.loads(body)["output"]) == (503, "draining")
    status, head, _ = one.ask("/trace")
    assert (status, head["connection"]) == (200, "close")
    join()
    assert results == [200] * 50
    assert one.ended() == 0
    assert one.err.read_text() == ""


@pytest.mark.parametrize("app", ["bare_asgi", "bare_wsgi"])
def test_an_app_that_is_not_wrapped_finishes_too(serve: Serve, app: str) -> None:
    one = serve(f"served_apps:{app}", SLOW_S="2").ready("/")
    results, join = in_background(lambda: one.ask("/slow")[2], 5)
    threading.Event().wait(0.5)  # Nobody counts for an app without a shell; this is arrival time.
    one.stop()
    join()
    assert results == [b"slow"] * 5
    assert one.ended() == 0
    assert one.lines("/slow") == []


def test_the_delay_serves_on_while_the_proxy_moves_away(serve: Serve) -> None:
    one = serve("served_apps:plain_asgi_app", "--drain-delay", "1s").ready()
    clock = SystemClock()
    begun_s = clock.monotonic_s()
    one.stop()
    until(lambda: one.answers("/health/ready", 503), "unready")
    assert one.ask("/trace")[0] == 200
    assert one.ended() == 0
    assert clock.monotonic_s() - begun_s >= 1


@pytest.mark.parametrize(("app", "server"), DRAINED)
def test_the_bound_is_enforced(serve: Serve, app: str, server: str) -> None:
    one = serve(f"served_apps:{app}", "--server", server, "--drain", "500ms", SLOW_S="300").ready()
    results, join = in_background(lambda: one.ask("/slow")[0], 3)
    until(lambda: one.ask("/held")[2] == b"3", "three in flight")
    one.stop()
    assert one.ended() == 0
    join()
    assert 200 not in results
    assert len(results) == 3
    assert "bound of 0.5 s is over: cutting off 3 requests in flight" in one.err.read_text()


def test_a_loop_that_is_blocked_is_ended_too(serve: Serve) -> None:
    one = serve("served_apps:fastapi_app", "--drain", "500ms").ready()
    _, join = in_background(lambda: one.ask("/block")[0], 1)
    until(one.is_blocked, "blocked")
    one.stop()
    assert one.ended() == 0
    join()
    assert "cutting off 1 requests" in one.err.read_text()


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_at_once(serve: Serve, second: int) -> None:
    one = serve("served_apps:fastapi_app", SLOW_S="300").ready()
    _, join = in_background(lambda: one.ask("/slow")[0], 1)
    until(lambda: one.ask("/held")[2] == b"1", "one in flight")
    one.stop()
    until(lambda: one.answers("/health/ready", 503), "unready")
    one.stop(second)
    assert one.ended() == 0
    join()
    assert "asked twice to stop" in one.err.read_text()


def test_sigint_drains_as_sigterm_does(serve: Serve) -> None:
    one = serve("served_apps:fastapi_app", SLOW_S="2").ready()
    results, join = in_background(lambda: one.ask("/slow")[0], 1)
    until(lambda: one.ask("/held")[2] == b"1", "one in flight")
    one.stop(signal.SIGINT)
    join()
    assert (results, one.ended(), one.err.read_text()) == ([200], 0, "")


def test_sigterm_during_a_start_that_hangs(serve: Serve) -> None:
    one = serve("served_apps:never_starts")
    until(lambda: "serving" in one.out.read_text(), "starting")
    one.stop()
    until(lambda: one.process.poll() is not None, "ended")


@pytest.mark.parametrize("server", ["granian", "uvicorn"])
@pytest.mark.parametrize("app", ["fails_to_start", "wrapped_fails_to_start"])
def test_a_start_that_fails_says_why(serve: Serve, app: str, server: str) -> None:
    one = serve(f"served_apps:{app}", "--server", server)
    assert one.ended() == 3
    assert "no database today" in one.err.read_text()
    assert one.err.read_text().endswith(f"mainstay: served_apps:{app} failed to start\n")


def test_a_factory_is_called(serve: Serve) -> None:
    one = serve("served_apps:make_asgi()").ready()
    assert one.ask("/trace", traceparent=TRACEPARENT)[0] == 200


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("served_apps:nothing",), 3, "served_apps has no 'nothing'"),
        (("no_such_module_here:app",), 3, "there is no module 'no_such_module_here'"),
        (("served_apps:flask_app", "--server", "uvicorn"), 3, "uvicorn serves ASGI only"),
        (("served_apps:flask_app", "--threads", "0"), 2, "not between 1 and 512"),
        (("served_apps:flask_app", "--drain", "20"), 2, "not a duration: '20' (write 20s)"),
    ],
)
def test_wrong_input_is_one_sentence(
    serve: Serve, arguments: tuple[str, ...], code: int, sentence: str
) -> None:
    one = serve(*arguments)
    assert one.ended() == code
    assert sentence in one.err.read_text()
    assert "Traceback" not in one.err.read_text()


@pytest.mark.parametrize("server", ["granian", "uvicorn"])
def test_a_port_in_use_is_one_sentence(serve: Serve, server: str) -> None:
    first = serve("served_apps:plain_asgi_app").ready()
    taken = str(first.port)
    second = serve("served_apps:plain_asgi_app", "--server", server, "--port", taken)
    assert second.ended() == 1
    said = f"mainstay: cannot listen on 127.0.0.1:{taken}: Address already in use\n"
    assert second.err.read_text() == said
    assert first.ask("/trace")[0] == 200


def test_a_foreign_server_drains_as_well(serve: Serve) -> None:
    """`uvicorn served_apps:fastapi_app`, for users who don't start it by us."""
    one = serve("served_apps:fastapi_app", by="uvicorn", SLOW_S="2").ready()
    results, join = in_background(lambda: one.ask("/slow")[0], 5)
    until(lambda: one.ask("/held")[2] == b"5", "five in flight")
    one.stop()
    until(lambda: one.answers("/health/ready", 503), "unready")
    join()
    assert results == [200] * 5
    # uvicorn ends by the signal that it was sent, once it has shut down.
    assert one.ended() in {0, -signal.SIGTERM}


@pytest.mark.parametrize("app", ["plain_asgi_app", "plain_wsgi_app"])
@pytest.mark.parametrize("streams", [">/dev/full 2>&1", ">&- 2>&- <&-", "| true"])
def test_whatever_stdout_leads_to_requests_are_answered(
    tmp_path: Path, app: str, streams: str
) -> None:
    """A full disk, nothing at all, a reader that went: they cost lines, and never an answer."""
    ended, port = tmp_path / "ended", free_port()
    ours = f"{sys.executable} -m {OURS} --app served_apps:{app} --port {port}"
    shell = f"{{ {ours} & echo $! > '{ended}.pid'; wait $!; echo $? > '{ended}'; }} {streams}"
    starter = subprocess.Popen(["bash", "-c", shell], cwd=HERE)
    one = Client(port)
    try:
        until(lambda: one.answers("/trace", 200), "serving")
        assert [one.ask(path)[0] for path in ("/trace", "/boom", "/trace")] == [200, 500, 200]
    finally:
        os.kill(int(Path(f"{ended}.pid").read_text()), signal.SIGTERM)
        assert starter.wait(GENEROUS_S) == 0
    assert ended.read_text() == "0\n"


_AT_A_TERMINAL = (
    "import fcntl, os, signal, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
    # As a shell has it, also where the tests themselves were told to outlive their terminal.
    "signal.signal(signal.SIGHUP, signal.SIG_DFL);"
    "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
)


@pytest.mark.parametrize("app", ["plain_asgi_app", "plain_wsgi_app"])
def test_a_closed_terminal_ends_an_app(app: str) -> None:
    """SIGHUP is a reload for Granian, and for us where there is no terminal that could close."""
    port = free_port()
    terminal, its_end = pty.openpty()
    ours = ["-m", OURS, "--app", f"served_apps:{app}", "--port", str(port)]
    process = subprocess.Popen(
        [sys.executable, "-c", _AT_A_TERMINAL, *ours],
        cwd=HERE, stdin=its_end, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    os.close(its_end)
    try:
        until(lambda: Client(port).answers("/trace", 200), "serving")
        os.close(terminal)
        assert process.wait(GENEROUS_S) == -signal.SIGHUP
    finally:
        process.kill()
        process.wait(GENEROUS_S)
