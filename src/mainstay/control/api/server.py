"""The daemon's end of the control socket."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from mainstay.control.api import wire
from mainstay.control.api.wire import Json
from mainstay.core.errors import EngineRefused, MainstayError
from mainstay.core.sockets import clear_room, make_room

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
        """Listen. The caller holds the system's lock, so a socket that is there is a dead one's.

        Raises:
            OSError: The socket can't be made; SocketFolderUnsafe if its folder can't be trusted.
        """
        make_room(self._path)
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
        clear_room(self._path)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await self._request(reader)
        except MainstayError as error:
            await _told(writer, wire.encode(wire.error_out(error)))
        except ConnectionError:
            # Went away in the middle of its request: nobody is left to be told.
            pass
        else:
            # After a time in which this process stood still, the client may have given up; what
            # nobody waits for any more is not carried out.
            if await _told(writer, wire.encode({"accepted": True})):
                await _told(writer, await self._carried_out(request, writer))
        writer.close()

    async def _request(self, reader: asyncio.StreamReader) -> wire.Request:
        if len(self._tasks) > CONNECTIONS_MAX:
            raise EngineRefused("the daemon is answering many clients at once; try again")
        try:
            line = await asyncio.wait_for(reader.readline(), REQUEST_TIMEOUT_S)
        except TimeoutError as error:
            raise wire.Malformed("no request came over the control socket in time") from error
        except ValueError as error:
            raise wire.Malformed("the request is too long") from error
        request = wire.request_of(line)
        if request.command not in self._handlers:
            known = ", ".join(sorted(self._handlers))
            raise wire.Malformed(f"no command {request.command!r}; there are {known}")
        return request

    async def _carried_out(self, request: wire.Request, writer: asyncio.StreamWriter) -> bytes:
        """Return the last line of the answer, whatever becomes of the command."""

        async def emit(event: Json) -> None:
            # A client that went away misses the news; the command goes on.
            await _told(writer, wire.encode({"event": event}))

        try:
            result = await self._handlers[request.command](request.arguments, emit)
            return wire.encode({"result": result})
        except MainstayError as error:
            return wire.encode(wire.error_out(error))
        except Exception as error:  # noqa: BLE001  A defect of one command must neither leave its
            # client waiting for ever nor end the daemon that holds everything else.
            asyncio.get_running_loop().call_exception_handler(
                {"message": f"mainstay: the command {request.command!r} failed", "exception": error}
            )
            what = f"{type(error).__name__}: {error}".rstrip(": ")
            sentence = f"the daemon failed in `{request.command}`: {what} (more on its stderr)"
            return wire.encode(wire.error_out(EngineRefused(sentence)))


async def _told(writer: asyncio.StreamWriter, line: bytes) -> bool:
    """Write one line; return False where the client is gone."""
    try:
        writer.write(line)
        await writer.drain()
    except ConnectionError:
        return False
    return True
