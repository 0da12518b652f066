"""Probes at a port of their own, under real servers: answered while the app blocks its loop."""

import signal
import socket
import threading
from pathlib import Path

import pytest
from tests.ports import free_port
from tests.system.served import GENEROUS_S, OURS, Client, Served, until

pytestmark = pytest.mark.system

SERVERS = [("asgi", "granian"), ("asgi", "uvicorn"), ("wsgi", "granian")]


@pytest.mark.parametrize(("app", "server"), SERVERS)
def test_probes_pass_a_loop_that_is_blocked(tmp_path: Path, app: str, server: str) -> None:
    let_go, door = tmp_path / "go", Client(free_port())
    words = ("--app", f"probe_apps:{app}", "--server", server, "--probe-port", str(door.port))
    with Served(tmp_path, OURS, *words, LET_GO=str(let_go)) as served:
        until(lambda: door.answers("/health/ready", 200), "it is ready at its own port")
        busy = threading.Thread(target=lambda: served.ask("/"))
        busy.start()
        until(let_go.with_suffix(".held").exists, "the handler blocks")
        try:
            assert door.ask("/health/ready")[0] == 200
            assert door.ask("/health/live")[0] == 200
        finally:
            let_go.touch()
            busy.join(GENEROUS_S)
        assert served.ask("/health/ready")[0] == 200
        served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(GENEROUS_S) == 0


def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        words = ("--app", "probe_apps:asgi", "--probe-port", port)
        with Served(tmp_path, OURS, *words, LET_GO=str(tmp_path / "go")) as served:
            assert served.process.wait(GENEROUS_S) == 1
        assert f"cannot listen on 127.0.0.1:{port}" in served.err.read_text()


def test_an_app_that_is_not_wrapped_is_served_without(tmp_path: Path) -> None:
    door = free_port()
    words = ("--app", "probe_apps:unwrapped", "--probe-port", str(door))
    let_go = tmp_path / "go"
    let_go.touch()
    with Served(tmp_path, OURS, *words, LET_GO=str(let_go)) as served:
        until(lambda: served.answers("/", 200), "it is served")
        with socket.socket() as asks:
            assert asks.connect_ex(("127.0.0.1", door)) != 0
        assert "the app is not wrapped" in served.out.read_text()
