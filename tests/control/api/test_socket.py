"""The control socket: commands, events, errors that keep their type, and hostile clients."""

import asyncio
import contextlib
import socket
import stat
import tempfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from mainstay.control.api import client, wire
from mainstay.control.api.server import ControlServer, Emit
from mainstay.core import sockets
from mainstay.core.errors import ConfigInvalid, EngineRefused, NotRunning


async def double(arguments: Mapping[str, Any], emit: Emit) -> wire.Json:
    await emit({"saw": arguments["number"]})
    return {"number": arguments["number"] * 2}


async def refuse(arguments: Mapping[str, Any], emit: Emit) -> wire.Json:
    raise ConfigInvalid(("mainstay.yaml:1:1: first", "mainstay.yaml:2:1: second"))


async def crash(arguments: Mapping[str, Any], emit: Emit) -> wire.Json:
    raise {"os": OSError(28, "No space left on device"), "connection": ConnectionResetError()}[
        arguments["kind"]
    ]


async def mumble(arguments: Mapping[str, Any], emit: Emit) -> wire.Json:
    return {"not JSON": object()}


HANDLERS = {"double": double, "refuse": refuse, "crash": crash, "mumble": mumble}


@pytest_asyncio.fixture
async def server(tmp_path: Path) -> AsyncIterator[Path]:
    path = tmp_path / "control.sock"
    control = ControlServer(path, HANDLERS)
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
    with pytest.raises(EngineRefused, match="crash, double, mumble, refuse"):
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
    [
        b"\xff\xfe\n",
        b"[1]\n",
        b"{}\n",
        b'{"command": 1}\n',
        b"[" * 50_000 + b"\n",
        b"x" * 2_200_000,
    ],
)
async def test_garbage_gets_a_sentence_and_the_server_lives(server: Path, line: bytes) -> None:
    def send() -> bytes:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            connection.connect(str(server))
            # What is too long is answered before it has come whole, and then nobody reads the rest.
            with contextlib.suppress(BrokenPipeError):
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


@pytest.mark.parametrize(
    ("command", "arguments", "sentence"),
    [
        ("crash", {"kind": "os"}, r"failed in `crash`: OSError: .*No space left on device"),
        ("crash", {"kind": "connection"}, "failed in `crash`: ConnectionResetError"),
        ("crash", {}, "failed in `crash`: KeyError"),
        ("mumble", {}, "failed in `mumble`: TypeError"),
    ],
)
async def test_a_defect_of_a_command_is_answered_and_reported_once(
    server: Path, command: str, arguments: dict[str, Any], sentence: str
) -> None:
    reports: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, report: reports.append(report))
    with pytest.raises(EngineRefused, match=sentence):
        await call(server, command, **arguments)
    assert [report["message"] for report in reports] == [
        f"mainstay: the command '{command}' failed"
    ]
    assert (await call(server, "double", number=1))[0] == {"number": 2}


async def test_a_daemon_that_stands_still_is_told_from_one_that_works(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as stopped:
        stopped.bind(str(path))
        stopped.listen()
        with pytest.raises(client.DaemonSilent):
            client.call(path, "down", accept_timeout_s=0.05)
        # So much that it does not fit into the socket's buffer either.
        with pytest.raises(client.DaemonSilent):
            client.call(path, "apply", accept_timeout_s=0.05, environ={"A": "a" * 1_000_000})


async def test_a_command_that_is_accepted_may_take_longer(tmp_path: Path) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(arguments: Mapping[str, Any], emit: Emit) -> wire.Json:
        begun.set()
        await go_on.wait()
        return {"done": True}

    control = ControlServer(tmp_path / "s", {"slow": slow})
    await control.start()
    waiting = asyncio.create_task(
        asyncio.to_thread(client.call, tmp_path / "s", "slow", timeout_s=0.05)
    )
    await begun.wait()
    with pytest.raises(EngineRefused, match="did not answer for") as caught:
        await waiting
    assert not isinstance(caught.value, client.DaemonSilent)
    go_on.set()
    await control.stop()


async def test_what_nobody_waits_for_any_more_is_not_carried_out(tmp_path: Path) -> None:
    """Law: a daemon that was stopped and goes on does not obey those who gave up."""
    obeyed: list[object] = []

    async def end(arguments: Mapping[str, Any], emit: Emit) -> wire.Json:
        obeyed.append(arguments["by"])
        return {}

    control = ControlServer(tmp_path / "s", {"end": end})
    await control.start()
    # This loop stands still while the client asks and goes away.
    with pytest.raises(client.DaemonSilent):
        client.call(tmp_path / "s", "end", accept_timeout_s=0.05, by="impatient")
    await call(tmp_path / "s", "end", by="patient")
    assert obeyed == ["patient"]
    await control.stop()


async def test_an_environment_of_a_megabyte_gets_through(server: Path) -> None:
    result, _ = await call(server, "double", number=2, environ={"A": "\udcff" * 170_000})
    assert result == {"number": 4}
    with pytest.raises(wire.Malformed, match="more than 2097152 bytes"):
        await call(server, "double", number=2, environ={"A": "a" * 2_100_000})


async def test_a_short_folder_is_made_for_the_socket_and_goes_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    deep = Path("/srv") / ("deep" * 30)
    with tempfile.TemporaryDirectory(prefix="ms", dir="/tmp") as root:
        monkeypatch.setattr(sockets, "SHORT_ROOT", Path(root))
        path = sockets.find_socket(deep, "control.sock")
        control = ControlServer(path, HANDLERS)
        await control.start()
        assert (await call(path, "double", number=1))[0] == {"number": 2}
        await control.stop()
        assert list(Path(root).iterdir()) == []
