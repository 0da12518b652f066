"""A daemon that takes no request: its process is named, and what can be done about it."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from mainstay.cli.asking import ask
from mainstay.cli.place import control_socket
from mainstay.control.engines.local.folder import SystemLock, prepare
from mainstay.core.errors import EngineRefused, NotRunning


@pytest.fixture
def state(tmp_path: Path) -> Path:
    prepare(tmp_path / ".mainstay")
    return tmp_path / ".mainstay"


@pytest.fixture
def silent(state: Path) -> Iterator[Path]:
    """Something that listens on the control socket of a system, and takes nothing."""
    with socket.socket(socket.AF_UNIX) as stopped:
        stopped.bind(str(control_socket(state)))
        stopped.listen()
        yield state


def test_its_process_is_named_and_what_to_do(silent: Path) -> None:
    me = os.getpid()
    with (
        SystemLock(silent / "lock"),
        pytest.raises(
            EngineRefused,
            match=rf"process {me}\) does not answer: .*kill -CONT {me}.*kill -9 {me}",
        ) as caught,
    ):
        ask(silent, "down", accept_timeout_s=0.05)
    assert not isinstance(caught.value, NotRunning), "or `down` would clear what runs"


def test_a_process_that_is_not_known_is_not_invented(silent: Path) -> None:
    with pytest.raises(EngineRefused, match="not answer, and its process is not known"):
        ask(silent, "status", accept_timeout_s=0.05)


def test_nobody_there_is_not_running(state: Path) -> None:
    with pytest.raises(NotRunning):
        ask(state, "status")
