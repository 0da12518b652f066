"""Asking the daemon of a system, from its state folder."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mainstay.cli.place import control_socket
from mainstay.control.api.client import ACCEPT_TIMEOUT_S, DaemonSilent, call
from mainstay.control.api.wire import Json
from mainstay.control.engines.local.folder import lock_holder
from mainstay.core.errors import EngineRefused


def ask(
    state: Path,
    command: str,
    *,
    timeout_s: float = 30.0,
    accept_timeout_s: float = ACCEPT_TIMEOUT_S,
    on_event: Callable[[Json], None] | None = None,
    **arguments: Any,
) -> Json:
    """Send one command to the daemon; see ``call``. Any: arguments are JSON values.

    Raises:
        NotRunning: No daemon runs.
        EngineRefused: It does not answer; the sentence names its process and what to do.
        MainstayError: What it answered.
    """
    try:
        return call(
            control_socket(state),
            command,
            timeout_s=timeout_s,
            accept_timeout_s=accept_timeout_s,
            on_event=on_event,
            **arguments,
        )
    except DaemonSilent as error:
        raise EngineRefused(_what_to_do(lock_holder(state / "lock"))) from error


def _what_to_do(pid: int | None) -> str:
    if not pid:
        return "the daemon does not answer, and its process is not known"
    return (
        f"the daemon (process {pid}) does not answer: if it is stopped, `kill -CONT {pid}`; if it "
        f"hangs, `kill -9 {pid}`, after which `mainstay up -d` takes over what serves on"
    )
