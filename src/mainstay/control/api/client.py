"""The command line's end of the control socket. Blocking: a command does one thing."""

import contextlib
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mainstay.control.api import wire
from mainstay.control.api.wire import Json
from mainstay.core.errors import EngineRefused, NotRunning

CONNECT_TIMEOUT_S = 5.0


def call(
    path: Path,
    command: str,
    *,
    timeout_s: float = 30.0,
    on_event: Callable[[Json], None] | None = None,
    **arguments: Any,
) -> Json:
    """Send one command to the daemon and return its result.

    Any: arguments are JSON values.

    Args:
        path: The control socket.
        command: Its name.
        timeout_s: The longest silence of the daemon, not the longest answer.
        on_event: Told of each event while the daemon works.
        arguments: What the command takes.

    Raises:
        NotRunning: Nobody listens there.
        MainstayError: What the daemon answered, or EngineRefused if it went away or fell silent.
    """
    with _connected(path) as connection:
        connection.settimeout(timeout_s)
        try:
            connection.sendall(wire.encode({"command": command, "arguments": arguments}))
            for line in _lines(connection):
                message = wire.decode(line)
                if "result" in message:
                    result: Json = message["result"]
                    return result
                if "error" in message:
                    raise wire.error_in(message["error"])
                if on_event is not None:
                    on_event(message.get("event", {}))
        except TimeoutError as error:
            raise EngineRefused(f"the daemon did not answer for {timeout_s:.0f} s") from error
        except ConnectionError as error:
            raise EngineRefused("the daemon went away before it had answered") from error
    raise EngineRefused("the daemon went away before it had answered")


def listening(path: Path) -> bool:
    """Return whether a daemon answers on the socket; what a dead one left there does not."""
    try:
        with _connected(path):
            return True
    except EngineRefused:
        return False


@contextlib.contextmanager
def _connected(path: Path) -> Iterator[socket.socket]:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with connection:
        connection.settimeout(CONNECT_TIMEOUT_S)
        try:
            connection.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise NotRunning("nothing is running here: start it with `mainstay up -d`") from error
        except OSError as error:
            raise EngineRefused(f"cannot reach the daemon: {error.strerror or error}") from error
        yield connection


def _lines(connection: socket.socket) -> Iterator[bytes]:
    pending = b""
    while chunk := connection.recv(65536):
        pending += chunk
        *lines, pending = pending.split(b"\n")
        yield from lines
        if len(pending) > wire.ANSWER_BYTES_MAX:
            raise EngineRefused("the daemon's answer is too long")
