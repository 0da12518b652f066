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

ACCEPT_TIMEOUT_S = 5.0
"""A daemon that lives accepts a request at once, however long it then works on it."""


class DaemonSilent(EngineRefused):
    """The daemon listens, but does not take the request: it is stopped, or it hangs."""


class DaemonGone(EngineRefused):
    """The daemon went away before it had answered."""

    def __init__(self) -> None:
        super().__init__("the daemon went away before it had answered")


def call(
    path: Path,
    command: str,
    *,
    timeout_s: float = 30.0,
    accept_timeout_s: float = ACCEPT_TIMEOUT_S,
    on_event: Callable[[Json], None] | None = None,
    **arguments: Any,
) -> Json:
    """Send one command to the daemon and return its result.

    Any: arguments are JSON values.

    Args:
        path: The control socket.
        command: Its name.
        timeout_s: The longest silence of the daemon while it works, not the longest answer.
        accept_timeout_s: The longest until it begins; a request given up before is not carried
            out.
        on_event: Told of each event while the daemon works.
        arguments: What the command takes.

    Raises:
        NotRunning: Nobody listens there.
        DaemonSilent: Somebody listens, but does not take the request.
        DaemonGone: It went away.
        MainstayError: What the daemon answered, or EngineRefused if it fell silent.
    """
    request = wire.encode({"command": command, "arguments": arguments})
    if len(request) > wire.REQUEST_BYTES_MAX:
        raise wire.Malformed(f"the request has more than {wire.REQUEST_BYTES_MAX} bytes")
    began = False
    with _connected(path) as connection:
        connection.settimeout(accept_timeout_s)
        try:
            connection.sendall(request)
            for line in _lines(connection):
                began = True
                connection.settimeout(timeout_s)
                message = wire.decode(line)
                if "result" in message:
                    result: Json = message["result"]
                    return result
                if "error" in message:
                    raise wire.error_in(message["error"])
                if on_event is not None and "event" in message:
                    on_event(message["event"])
        except TimeoutError as error:
            if not began:
                raise DaemonSilent("the daemon does not take the request") from error
            raise EngineRefused(f"the daemon did not answer for {timeout_s:.0f} s") from error
        except ConnectionError as error:
            raise DaemonGone from error
    raise DaemonGone


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
