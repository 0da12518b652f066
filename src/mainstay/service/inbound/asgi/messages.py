"""ASGI's messages of an answer: read, made whole, sent."""

from collections.abc import Awaitable, Callable, Generator, Iterable
from typing import Any

from mainstay.service.inbound.asgi.types import Message, Send
from mainstay.service.inbound.problems.problem import VARY
from mainstay.service.inbound.problems.refusal import RawHeaders

CONTENT = frozenset((b"content-type", b"content-length", b"content-encoding"))
"""What says what a body is, and goes with it."""


def lowered(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return headers as ASGI wants them. Django writes their names as people do."""
    return [(name.lower(), value) for name, value in headers]


def header_of(start: Message, wanted: bytes) -> bytes:
    """Return a header of an answer; empty where it has none."""
    for name, value in start.get("headers", ()):
        if name.lower() == wanted:
            found: bytes = value
            return found
    return b""


def described(kind: str, document: bytes) -> RawHeaders:
    """Return the headers that say what a document of ours is."""
    return (
        (b"content-type", kind.encode()),
        (b"content-length", str(len(document)).encode()),
        VARY,
    )


class _Nothing:
    """What is awaited where there is nothing to wait for."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, None, None]:
        return iter(())  # type: ignore[return-value]  # Any iterator will do, and this one is free.


NOTHING = _Nothing()


async def send_whole(
    send: Callable[[Message], Awaitable[None]],
    status: int,
    body: bytes,
    headers: RawHeaders,
    *,
    with_body: bool = True,
) -> None:
    """Send a whole answer of one piece; its length is told even where its body is not."""
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body if with_body else b""})


def without_body(send: Send) -> Send:
    """Return a ``send`` that drops bodies: over HTTP/2 a server sends what an app says to HEAD."""

    def bare(message: Message) -> Awaitable[None]:
        kind = message["type"]
        if kind == "http.response.body":
            return send({**message, "body": b""})
        if kind == "http.response.pathsend":
            return send({"type": "http.response.body", "body": b""})
        return send(message)

    return bare
