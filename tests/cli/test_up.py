"""`mainstay up -d` where a daemon runs already: what it is told."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mainstay.cli.place import control_socket, state_of
from mainstay.cli.telling import print_line, quiet, tell
from mainstay.cli.up import in_background
from mainstay.control.api.server import ControlServer, Emit
from mainstay.control.api.wire import Json
from mainstay.control.engines.local.folder import prepare


@pytest.mark.parametrize("env", ["prod", None])
async def test_a_running_daemon_gets_the_overlay_and_the_environment_of_who_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, env: str | None
) -> None:
    got: list[Mapping[str, Any]] = []

    async def apply(arguments: Mapping[str, Any], emit: Emit) -> Json:
        got.append(arguments)
        return {"settled": True}

    prepare(state_of(tmp_path))
    monkeypatch.setenv("COLOUR", "blau")
    monkeypatch.setenv("STRANGE", b"\xff".decode("utf-8", "surrogateescape"))
    server = ControlServer(control_socket(state_of(tmp_path)), {"apply": apply})
    await server.start()
    answer = await asyncio.to_thread(in_background, tmp_path, env, quiet)
    await server.stop()
    assert answer == {"settled": True}
    assert [one["env"] for one in got] == [env]
    assert got[0]["environ"]["COLOUR"] == "blau"
    assert got[0]["environ"]["STRANGE"] == "\udcff"


def test_events_for_programs_are_lines_on_stdout_and_for_people_on_stderr(
    capsys: pytest.CaptureFixture[str],
) -> None:
    event = {"event": "EdgeStarted", "pid": 7}
    print_line(event)
    assert capsys.readouterr() == ('{"event": "EdgeStarted", "pid": 7}\n', "")
    tell(event)
    assert capsys.readouterr() == ("", "  edge started (pid 7)\n")


def test_progress_that_nobody_reads_is_no_reason_to_leave(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Law: `mainstay down 2>&1 | head -1` ends the system all the same."""

    def gone(*_: object, **__: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("click.echo", gone)
    with pytest.raises(BrokenPipeError):
        gone()
    tell({"event": "EdgeStarted", "pid": 7})
    print_line({"event": "EdgeStarted", "pid": 7})
    assert capsys.readouterr() == ("", "")
