"""The body of an ASGI request: its beginning is here before the request takes a place.

Who waits for a client's body works for nobody. So that slow senders hold up nobody but themselves,
the first bytes are waited for before admission is asked, which is the whole of most bodies, and are
then told again to the app. What is longer is read by the app, in its place, until the deadline at
most. The twin for WSGI is ``arriving.py``.
"""

from mainstay.service.inbound.asgi.flight import Flight
from mainstay.service.inbound.asgi.types import Message, Receive
from mainstay.service.inbound.slow_clients import FIRST_BYTES

KEPT_BYTES_MAX = 64 * 2**20
"""Of the beginnings of all bodies that are not whole: as for WSGI. What comes when so much is kept
is waited for by the app, in its place."""

_BODY = "http.request"


class Arrivals:
    """What is kept of bodies that are on their way; one for a shell. Used by one event loop.

    Args:
        kept_max: Bytes of all of them; the last part of each may be above it.

    Attributes:
        kept: Bytes at this moment.
    """

    __slots__ = ("kept", "kept_max")

    def __init__(self, *, kept_max: int = KEPT_BYTES_MAX) -> None:
        self.kept_max = kept_max
        self.kept = 0


class EarlyBody:
    """An ASGI ``receive`` that can wait for the beginning of a body before anybody asks for it.

    While it waits for its client, the flight's ``is_reading`` says so.

    Args:
        flight: The request.
        receive: The server's, or one that counts.
    """

    __slots__ = ("_first", "_flight", "_is_whole", "_last", "_receive")

    def __init__(self, flight: Flight, receive: Receive) -> None:
        self._flight = flight
        self._receive = receive
        self._is_whole = False
        # What the app hears first, and what it hears then where that is no more of the body.
        self._first: Message | None = None
        self._last: Message | None = None

    async def arrive(self, arrivals: Arrivals) -> None:
        """Wait for the first bytes: for the whole body, ``FIRST_BYTES``, or that the client leaves.

        Args:
            arrivals: Of the shell.

        Raises:
            BodyTooLarge: It is counted, and longer than its bound.
        """
        self._first = message = await self._next()
        if self._is_whole:
            return
        # Joined, since a message for each byte that a client sends would take 300.
        parts = bytearray(message.get("body", b""))
        arrivals.kept += len(parts)
        try:
            while len(parts) < FIRST_BYTES and arrivals.kept < arrivals.kept_max:
                message = await self._next()
                if message["type"] != _BODY:
                    self._last = message
                    break
                part = message.get("body", b"")
                parts += part
                arrivals.kept += len(part)
                if not message.get("more_body"):
                    break
        finally:
            arrivals.kept -= len(parts)
        more_body = self._last is not None or bool(message.get("more_body"))
        self._first = {"type": _BODY, "body": bytes(parts), "more_body": more_body}

    async def __call__(self) -> Message:
        """Return the next message."""
        message = self._first
        if message is not None:
            self._first = None
            return message
        message = self._last
        if message is not None:
            self._last = None
            return message
        if self._is_whole:
            return await self._receive()
        return await self._next()

    async def _next(self) -> Message:
        """Return the next message of a body that is not whole."""
        flight = self._flight
        flight.is_reading = True
        try:
            message = await self._receive()
        finally:
            flight.is_reading = False
        # Who has left sends no more, and what is waited for then is no body.
        self._is_whole = message["type"] != _BODY or not message.get("more_body")
        return message
