"""The daemon's end of the control socket."""

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from mainstay.control.api import wire
from mainstay.control.api.wire import Json
from mainstay.core.errors import EngineRefused, MainstayError

CONNECTIONS_MAX = 32
"""More clients at once than people and dashboards need; one more is told to come back."""

REQUEST_TIMEOUT_S = 5.0
"""A client that connects must have sent its request by then."""

Emit = Callable[[Json], Awaitable[None]]
Handler = Callable[[Mapping[str, Any], Emit], Awaitable[Json]]


class ControlServer:
    """Answers commands on a Unix socket that only its owner can open.

    Args:
        path: The socket; what a dead daemon left there is replaced.
        handlers: Command name -> coroutine; it gets the arguments and a way to report progress.
    """

    def __init__(self, path: Path, handlers: Mapping[str, Handler]) -> None:
        self._path = path
        self._handlers = dict(handlers)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen. The caller holds the system's lock, so a socket that is there is a dead one's."""
        self._path.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(
                self._connected, path=self._path, limit=wire.REQUEST_BYTES_MAX
            )
        finally:
            os.umask(before)

    async def stop(self, *, grace_s: float = 1.0) -> None:
        """Stop listening, let answers under way finish within ``grace_s``, remove the socket."""
        if self._server is None:
            return
        self._server.close()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace_s)
        for task in self._tasks:
            task.cancel()
        self._path.unlink(missing_ok=True)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def emit(event: Json) -> None:
            # A client that went away misses the news; the command goes on.
            with contextlib.suppress(ConnectionError):
                writer.write(wire.encode({"event": event}))
                await writer.drain()

        try:
            answer = {"result": await self._answer(reader, emit)}
        except MainstayError as error:
            answer = wire.error_out(error)
        except ConnectionError:
            writer.close()
            return
        with contextlib.suppress(ConnectionError):
            writer.write(wire.encode(answer))
            await writer.drain()
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, emit: Emit) -> Json:
        if len(self._tasks) > CONNECTIONS_MAX:
            raise EngineRefused("the daemon is answering many clients at once; try again")
        try:
            line = await asyncio.wait_for(reader.readline(), REQUEST_TIMEOUT_S)
        except TimeoutError as error:
            raise wire.Malformed("no request came over the control socket in time") from error
        except ValueError as error:
            raise wire.Malformed("the request is too long") from error
        request = wire.request_of(line)
        handler = self._handlers.get(request.command)
        if handler is None:
            known = ", ".join(sorted(self._handlers))
            raise wire.Malformed(f"no command {request.command!r}; there are {known}")
        return await handler(request.arguments, emit)
