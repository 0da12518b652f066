"""The control socket: commands, events, errors that keep their type, and hostile clients."""

import asyncio
import socket
import stat
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from mainstay.control.api import client, wire
from mainstay.control.api.server import ControlServer, Emit
from mainstay.core.errors import ConfigInvalid, EngineRefused, NotRunning


async def double(arguments: Mapping[str, Any], emit: Emit) -> wire.Json:
    await emit({"saw": arguments["number"]})
    return {"number": arguments["number"] * 2}


async def refuse(arguments: Mapping[str, Any], emit: Emit) -> wire.Json:
    raise ConfigInvalid(("mainstay.yaml:1:1: first", "mainstay.yaml:2:1: second"))


@pytest_asyncio.fixture
async def server(tmp_path: Path) -> AsyncIterator[Path]:
    path = tmp_path / "control.sock"
    control = ControlServer(path, {"double": double, "refuse": refuse})
    await control.start()
    yield path
    await control.stop()
    assert not path.exists()


async def call(path: Path, command: str, **arguments: Any) -> tuple[wire.Json, list[wire.Json]]:
    events: list[wire.Json] = []
    result = await asyncio.to_thread(
        client.call, path, command, on_event=events.append, timeout_s=5.0, **arguments
    )
    return result, events


async def test_a_command_gets_its_events_and_its_result(server: Path) -> None:
    assert await call(server, "double", number=21) == ({"number": 42}, [{"saw": 21}])


async def test_an_error_keeps_its_type_and_its_faults(server: Path) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        await call(server, "refuse")
    assert caught.value.faults == ("mainstay.yaml:1:1: first", "mainstay.yaml:2:1: second")


async def test_an_unknown_command_names_the_known_ones(server: Path) -> None:
    with pytest.raises(EngineRefused, match="double, refuse"):
        await call(server, "explode")


async def test_only_the_owner_can_open_the_socket(server: Path) -> None:
    assert stat.S_IMODE(server.stat().st_mode) == 0o600


async def test_nobody_listening_is_not_running(tmp_path: Path) -> None:
    with pytest.raises(NotRunning, match="mainstay up"):
        client.call(tmp_path / "control.sock", "double")


async def test_a_socket_without_a_daemon_is_not_listening(server: Path, tmp_path: Path) -> None:
    dead = tmp_path / "dead.sock"
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(dead))
    assert dead.exists()
    assert not client.listening(dead)
    assert await asyncio.to_thread(client.listening, server)


@pytest.mark.parametrize(
    "line",
    [b"\xff\xfe\n", b"[1]\n", b"{}\n", b'{"command": 1}\n', b"[" * 50_000 + b"\n", b"x" * 70_000],
)
async def test_garbage_gets_a_sentence_and_the_server_lives(server: Path, line: bytes) -> None:
    def send() -> bytes:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            connection.connect(str(server))
            connection.sendall(line)
            return connection.recv(65536)

    answer = wire.decode(await asyncio.to_thread(send))
    assert isinstance(wire.error_in(answer["error"]), EngineRefused)
    assert (await call(server, "double", number=1))[0] == {"number": 2}


async def test_a_client_that_leaves_early_hurts_nobody(server: Path) -> None:
    def leave() -> None:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(server))

    await asyncio.to_thread(leave)
    assert (await call(server, "double", number=1))[0] == {"number": 2}
