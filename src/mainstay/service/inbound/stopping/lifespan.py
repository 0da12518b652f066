"""The ASGI lifespan of a wrapped app: watched for its end, and spoken for apps that have none."""

import asyncio

from mainstay.core.carrying import carry_here
from mainstay.service.inbound.asgi.types import AsgiApp, Message, Receive, Scope, Send
from mainstay.service.inbound.stopping.drain import Drain
from mainstay.service.inbound.stopping.stop import chain_sigterm, leave_alone

_SHUTDOWN = "lifespan.shutdown"
_STARTED = "lifespan.startup.complete"
_START_FAILED = "lifespan.startup.failed"
_STOPPED = "lifespan.shutdown.complete"
_STOP_FAILED = "lifespan.shutdown.failed"


class Lifespan:
    """One lifespan.

    Servers differ on an app that raises there: one says that it has no lifespan, another that its
    start failed. Here the difference is whether the app had begun to listen. One that had not
    knows nothing of lifespans, and the shell answers for it; one that had failed to start, and
    the server is told so.

    At its end the way out is gone in its order: background work is waited for before the app hears
    that it should stop, since that work may need what the app closes; closers run when it has.

    Args:
        drain: Learns that the app has started, and is finished at the end.
        receive: What the server says.
        send: What the server is told.
    """

    __slots__ = ("_asked", "_drain", "_receive", "_said", "_send", "_unchain")

    def __init__(self, drain: Drain, receive: Receive, send: Send) -> None:
        self._drain = drain
        self._receive = receive
        self._send = send
        self._asked = False
        self._said: set[str] = set()
        self._unchain = leave_alone

    async def run(self, app: AsgiApp, scope: Scope) -> None:
        """Let the app live its lifespan, or live it in its place."""
        # Here, and not with a request: the app's own code has set no executor in this loop yet.
        carry_here()
        try:
            await self._live(app, scope)
        finally:
            # For an app that never came to its last word.
            await self._drain.close_async()

    async def _live(self, app: AsgiApp, scope: Scope) -> None:
        try:
            await app(scope, self.receive, self.send)
        except Exception as error:
            if self._asked:
                if not self._said:
                    why = f"{type(error).__name__}: {error}"
                    await self.send({"type": _START_FAILED, "message": why})
                raise
        if not self._asked:
            await self._live_in_its_place()

    async def _live_in_its_place(self) -> None:
        await self.receive()
        await self.send({"type": _STARTED})
        await self.receive()
        await self.send({"type": _STOPPED})

    async def receive(self) -> Message:
        """Hand on what the server says."""
        self._asked = True
        message = await self._receive()
        if message["type"] == _SHUTDOWN:
            await self._drain.finish_background()
        return message

    async def send(self, message: Message) -> None:
        """Hand on what the app says, and note that it has started."""
        kind = message["type"]
        if kind not in {_STARTED, _START_FAILED, _STOPPED, _STOP_FAILED}:
            # An app that answers every scope as if it were a request has no lifespan.
            raise RuntimeError(f"not a message of a lifespan: {kind}")
        self._said.add(kind)
        if kind in {_STOPPED, _STOP_FAILED}:
            # Before the server hears it: it may end the loop at once.
            await self._drain.close_async()
        await self._send(message)
        if kind == _STARTED:
            self._drain.background.loop = asyncio.get_running_loop()
            self._drain.start()
            self._unchain = chain_sigterm(self._drain)
        else:
            self._unchain()
