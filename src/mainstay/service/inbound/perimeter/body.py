"""The bound of a request's body: by its declared length, and by counting where it has none.

A body with a ``Content-Length`` is never longer than that: servers see to it. What must be counted
is what comes in chunks, over HTTP/1.1, or without a length over HTTP/2.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Protocol

from mainstay.service.inbound.asgi.types import Message, Receive
from mainstay.service.inbound.problems.refusal import Refusal, Refused
from mainstay.spec.kinds.units import size_text

_CLOSE = ((b"connection", b"close"),)


class BodyTooLarge(Refused):
    """The body turned out to be longer than ``inbound.body_max`` while it was read.

    Frameworks may catch it on its way (FastAPI makes a 400 of whatever its body raises), so the
    one that counted says so too: ``exceeded``.
    """


@lru_cache(maxsize=16)  # A service has one bound; every body that is counted asks.
def too_large(body_max: int, *, close: bool) -> Refusal:
    """Return the refusal of a body that is longer than ``body_max`` bytes.

    Args:
        body_max: In bytes.
        close: Whether to ask for the end of the connection, which would otherwise have to carry
            the rest. HTTP/2 has no such header.
    """
    detail = f"The body may have at most {size_text(body_max)}."
    return Refusal.of("body-too-large", detail, _CLOSE if close else ())


class BoundedReceive:
    """An ASGI ``receive`` that counts the body.

    Args:
        receive: The server's.
        body_max: In bytes.

    Attributes:
        exceeded: Whether the body was longer. An answer that has not begun is then ``refusal``.
        refusal: 413.
    """

    __slots__ = ("_left", "_receive", "exceeded", "refusal")

    def __init__(self, receive: Receive, body_max: int) -> None:
        self._receive = receive
        self._left = body_max
        self.refusal = too_large(body_max, close=True)
        self.exceeded = False

    async def __call__(self) -> Message:
        """Return the next message.

        Raises:
            BodyTooLarge: The body is longer than the bound; again at each further call.
        """
        if self.exceeded:
            # Nothing more is read of it: the client may send for ever.
            raise BodyTooLarge(self.refusal)
        message = await self._receive()
        if message["type"] == "http.request":
            self._left -= len(message.get("body", b""))
            if self._left < 0:
                self.exceeded = True
                raise BodyTooLarge(self.refusal)
        return message


class Readable(Protocol):
    """What WSGI promises of ``wsgi.input`` (PEP 3333)."""

    def read(self, size: int = -1, /) -> bytes:
        """Read at most ``size`` bytes; all that is left where it is negative."""
        ...

    def readline(self, size: int = -1, /) -> bytes:
        """Read a line, or ``size`` bytes of it."""
        ...


class BoundedInput:
    """A ``wsgi.input`` that counts the body, and never holds more than the bound and a byte.

    Args:
        stream: The server's.
        body_max: In bytes.

    Attributes:
        exceeded: Whether the body was longer. An answer that has not begun is then ``refusal``.
        refusal: 413.
    """

    __slots__ = ("_left", "_stream", "exceeded", "refusal")

    def __init__(self, stream: Readable, body_max: int) -> None:
        self._stream = stream
        self._left = body_max
        self.refusal = too_large(body_max, close=True)
        self.exceeded = False

    def read(self, size: int | None = -1) -> bytes:
        """Read at most ``size`` bytes; the whole rest where it is None or negative.

        Raises:
            BodyTooLarge: The body is longer than the bound.
        """
        if size is not None and size >= 0:
            return self._counted(self._stream.read(self._allowed(size)))
        # A server may give less than was asked for; the rest ends with nothing.
        parts = []
        while part := self._counted(self._stream.read(self._allowed(self._left + 1))):
            parts.append(part)
        return b"".join(parts)

    def readline(self, size: int | None = -1) -> bytes:
        """Read a line, or ``size`` bytes of it.

        Raises:
            BodyTooLarge: The body is longer than the bound.
        """
        wanted = self._left + 1 if size is None or size < 0 else size
        return self._counted(self._stream.readline(self._allowed(wanted)))

    def readlines(self, hint: int | None = -1) -> list[bytes]:
        """Read lines until ``hint`` bytes are read, or all.

        Raises:
            BodyTooLarge: The body is longer than the bound.
        """
        lines, size = [], 0
        for line in self:
            lines.append(line)
            size += len(line)
            if hint is not None and 0 < hint <= size:
                break
        return lines

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.readline, b"")

    def _allowed(self, size: int) -> int:
        """Return how much may be read: one byte above the bound shows that there is more."""
        if self.exceeded:
            raise BodyTooLarge(self.refusal)
        return min(size, self._left + 1)

    def _counted(self, part: bytes) -> bytes:
        self._left -= len(part)
        if self._left < 0:
            self.exceeded = True
            raise BodyTooLarge(self.refusal)
        return part
