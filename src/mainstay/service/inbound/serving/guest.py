"""An ASGI app that isn't wrapped: its lifespan is watched and its requests counted, no more."""

from mainstay.service.inbound.asgi.handshake import spare_denial
from mainstay.service.inbound.asgi.types import AsgiApp, Receive, Scope, Send
from mainstay.service.inbound.stopping.drain import Drain
from mainstay.service.inbound.stopping.lifespan import Lifespan


class Guest:
    """An ASGI app around an app of somebody else, so that it can be drained.

    Args:
        app: Their app.
        drain: Counts what is in flight.
    """

    __slots__ = ("_app", "_drain")

    def __init__(self, app: AsgiApp, drain: Drain) -> None:
        self._app = app
        self._drain = drain

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection of any type."""
        if scope["type"] == "lifespan":
            await Lifespan(self._drain, receive, send).run(self._app, scope)
            return
        if scope["type"] == "websocket":
            spare_denial(scope, send)
        flight = object()
        self._drain.flights.add(flight)
        try:
            await self._app(scope, receive, send)
        finally:
            self._drain.flights.discard(flight)
