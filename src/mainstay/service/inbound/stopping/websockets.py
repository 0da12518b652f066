"""Websockets: in flight like requests, and sent elsewhere in good order when the process leaves.

A websocket ends when somebody ends it, so a drain can't just wait for it. In turn, the app hears
that the client is gone, has a grace in which to finish and may still send; then the client gets a
close frame with 1012, service restart; and an app that goes on is cancelled.

1012 and not 1001: the client is wanted back at once, elsewhere, and 1001 is what a browser says
that leaves a page. Libraries make that difference: Python's ``websockets`` takes 1001 for a normal
end (``ConnectionClosedOK``, a loop over messages just ends), and 1012 for one after which a client
connects anew; uvicorn closes with 1012 as well. Source: RFC 6455, 7.4.1, and IANA's registry.
"""

import asyncio
import contextlib

from mainstay.core.errors import MainstayError
from mainstay.service.inbound.asgi.types import AsgiApp, Message, Receive, Scope, Send
from mainstay.service.inbound.exchange import Exchange
from mainstay.service.inbound.stopping.drain import Drain

SERVICE_RESTART = 1012
REASON = "service restart"

GRACE_S = 5.0
"""An app has this long to finish once it was told, and never more than a quarter of the bound."""

CANCEL_AFTER_S = 1.0
"""How long an app may go on after its client has got the close frame."""


class SocketClosed(MainstayError, ConnectionError):
    """A message for a websocket that is closed. An OSError, as ASGI 2.4 wants it."""


async def serve_websocket(  # noqa: PLR0917  ASGI's own order, and two more.
    app: AsgiApp, scope: Scope, receive: Receive, send: Send, exchange: Exchange, drain: Drain
) -> None:
    """Serve one websocket until it ends, or until the drain has ended it.

    Raises what the app raises; of an app that was told to end only the class is noted.

    Args:
        app: What serves it.
        scope: Of type ``websocket``.
        receive: What the server says.
        send: What the server is told.
        exchange: Gets status, size and error; what is noted on it becomes headers of the accept.
        drain: Counts it, and tells when to leave.
    """
    socket = Socket(receive, send, exchange, drain.bound_s)
    drain.flights.add(socket)
    drain.sockets.add(socket)
    if drain.dismissed:
        socket.notice()
    try:
        await app(scope, socket.receive, socket.send)
    except asyncio.CancelledError:
        if not socket.took_back_its_cut():
            raise
    except Exception as error:
        exchange.error = type(error).__name__
        if not socket.noticed:
            raise
        # However an app ends that was told to: most let the framework's disconnect through.
    finally:
        try:
            await socket.finish()
        finally:
            drain.sockets.discard(socket)
            drain.flights.discard(socket)


class Socket:
    """One websocket, as the app and the drain see it. Lives in one loop.

    Args:
        receive: What the server says.
        send: What the server is told.
        exchange: Gets status and size.
        bound_s: The drain's bound.

    Attributes:
        noticed: Whether it was asked to end.
    """

    __slots__ = ("_closed", "_connected", "_cut", "_exchange", "_farewell", "_grace_s", "_leaving",
                 "_loop", "_reader", "_receive", "_send", "_task", "_waking",
                 "noticed")  # fmt: skip

    def __init__(self, receive: Receive, send: Send, exchange: Exchange, bound_s: float) -> None:
        self._receive = receive
        self._send = send
        self._exchange = exchange
        self._grace_s = min(GRACE_S, bound_s / 4)
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        # Who waits for the client's next message: the app may do so in a task of its own.
        self._reader: asyncio.Task[object] | None = None
        self._leaving: asyncio.Task[None] | None = None
        # Sends the close frame. A task of its own: who waits for it may be cancelled meanwhile.
        self._farewell: asyncio.Task[None] | None = None
        self._connected = False
        self._closed = False
        self._waking = False
        self._cut = False
        self.noticed = False

    def dismiss(self, after_s: float) -> None:
        """Ask it to end in ``after_s`` seconds. Safe from any thread."""
        # A loop that is closed has no sockets any more.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._loop.call_later, after_s, self.notice)

    def notice(self) -> None:
        """Ask it to end, in its own loop: wake the app if it waits, and begin the grace."""
        if self.noticed or self._closed:
            return
        self.noticed = True
        self._leaving = self._loop.create_task(self._leave())
        if self._reader is not None and self._connected:
            self._waking = True
            self._reader.cancel()

    async def receive(self) -> Message:
        """Return what the client says, or that it is gone once the socket was asked to end."""
        if self.noticed and self._connected:
            return {"type": "websocket.disconnect", "code": SERVICE_RESTART, "reason": REASON}
        reader = self._reader = asyncio.current_task()
        try:
            message = await self._receive()
        except asyncio.CancelledError:
            # Ours, taken back: a task for each message, to wait for two things, costs 15 µs.
            if not self._waking:
                raise
            self._waking = False
            if reader is None or reader.uncancel() > 0:
                raise
            return {"type": "websocket.disconnect", "code": SERVICE_RESTART, "reason": REASON}
        finally:
            self._reader = None
        if message["type"] == "websocket.disconnect":
            self._closed = True
        self._connected = True
        return message

    async def send(self, message: Message) -> None:
        """Hand on what the app says, and note what it is.

        Raises:
            SocketClosed: The socket was closed because the process leaves.
        """
        kind = message["type"]
        exchange = self._exchange
        if kind == "websocket.send":
            if self._closed and self.noticed:
                raise SocketClosed("the websocket is closed: this process is about to stop")
            exchange.size += len(message.get("bytes") or message.get("text") or b"")
        elif kind == "websocket.accept":
            exchange.status = 101
            if exchange.noted:
                headers = [*message.get("headers", ()), *exchange.noted]
                message = {**message, "headers": headers}
        elif kind == "websocket.close":
            if self._closed and self.noticed:
                return
            self._closed = True
            exchange.status = exchange.status or 403
        elif kind == "websocket.http.response.start":
            exchange.status = message["status"]
            self._closed = True
        await self._send(message)

    async def finish(self) -> None:
        """Close what the app left open when it was told to end."""
        if self._leaving is None:
            return
        self._leaving.cancel()
        farewell = self._close()
        if farewell is not None:
            # An app that sends hears that it is closed before the client does; when it then ends,
            # the server would close by itself, and say nothing.
            await asyncio.wait([farewell], timeout=CANCEL_AFTER_S)

    def took_back_its_cut(self) -> bool:
        """Return whether the app was cancelled by its socket alone, and take that back."""
        return self._cut and self._task is not None and self._task.uncancel() == 0

    async def _leave(self) -> None:
        await asyncio.sleep(self._grace_s)
        farewell = self._close()
        if farewell is not None:
            await asyncio.wait([farewell])
        await asyncio.sleep(CANCEL_AFTER_S)
        if self._task is not None:
            self._cut = True
            self._task.cancel()

    def _close(self) -> asyncio.Task[None] | None:
        """Close it, unless it is closed; return what sends the close frame, if anything does."""
        if not self._closed:
            self._closed = True
            self._exchange.status = self._exchange.status or 403
            self._farewell = self._loop.create_task(self._say_farewell())
        return self._farewell

    async def _say_farewell(self) -> None:
        # A client that left in this very moment is what was wanted.
        with contextlib.suppress(OSError):
            await self._send({"type": "websocket.close", "code": SERVICE_RESTART, "reason": REASON})
