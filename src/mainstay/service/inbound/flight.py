"""One request in flight over ASGI: what becomes of its answer on the way out."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Generator, Iterable
from typing import Any

from mainstay.core.alarm import RANG, Alarm
from mainstay.service.inbound.asgi_types import Message, Receive, Scope, Send
from mainstay.service.inbound.exchange import Exchange
from mainstay.service.inbound.inbound import Inbound
from mainstay.service.inbound.perimeter.body import BoundedReceive
from mainstay.service.inbound.perimeter.preflight import Preflight
from mainstay.service.inbound.problems.encoded import decoded
from mainstay.service.inbound.problems.failure import FAILED, OVERRAN, refusal_of
from mainstay.service.inbound.problems.problem import VARY
from mainstay.service.inbound.problems.refusal import RawHeaders, Refusal, Refused

HELD_BYTES_MAX = 65_536
"""So much of an error's body is kept back until it is known what becomes of it."""

_CLOSE = (b"connection", b"close")
_LEFT = frozenset(("ClientDisconnect", "ClientDisconnected", "RequestAborted"))
"""What Starlette, Quart and Django raise where a body ends since its client has left."""

_ERRORS_FROM = 400
_UNHANDLED = 500
_EVENTS = b"text/event-stream"


class Flight(Exchange):
    """One request and its answer over ASGI.

    Attributes:
        admitted: Whether it holds a place of admission.
        alarm: The deadline; None before the app is asked.
        finished: Whether the whole answer was sent.
        held: Messages of an error that are kept back; None where none is.
        is_cut: Whether it was answered in the app's place since its time was up: what the app says
            from then on goes nowhere.
    """

    __slots__ = (
        "_counted",
        "_inbound",
        "_late",
        "_send",
        "_silent",
        "admitted",
        "alarm",
        "finished",
        "held",
        "is_cut",
    )

    def __init__(self, inbound: Inbound, scope: Scope, send: Send) -> None:
        self._inbound = inbound
        self._send = send
        self._silent = False
        self._counted: BoundedReceive | None = None
        self._late: asyncio.Task[None]
        self.scope = scope
        self.kind = scope["type"]
        self.method = scope.get("method", "WEBSOCKET")
        self.path = scope["path"]
        self.noted = None
        self.begun_s = 0.0
        self.status = 0
        self.size = 0
        self.error = None
        self.refusal = None
        self.admitted = False
        self.alarm: Alarm | None = None
        self.finished = False
        self.held: list[Message] | None = None
        self.is_cut = False

    def counted(self, receive: Receive) -> Receive:
        """Return ``receive`` with a count of the body, whose length no header says."""
        body_max = self._inbound.perimeter.body_max
        assert body_max is not None, "counted only where there is a bound"
        self._counted = BoundedReceive(receive, body_max)
        return self._counted

    def send(self, message: Message) -> Awaitable[None]:
        """Note what the answer is and hand it on. No coroutine of its own: two sends a request."""
        if self.is_cut:
            return _NOTHING
        kind = message["type"]
        if kind == "http.response.start":
            inbound = self._inbound
            self.status = status = message["status"]
            self.begun_s = inbound.clock.monotonic_s()
            alarm = self.alarm
            if alarm is not None and alarm.parked is not RANG:
                # From here on a stream may take as long as it likes, and so may calls that it
                # makes.
                alarm.parked.pop(alarm, None)
                alarm.expires_s = math.inf
                self.alarm = None
            if status >= _ERRORS_FROM and self._is_held(message):
                self.held = [message]
                return _NOTHING
            message = self._dress(message)
        elif kind == "http.response.body":
            self.size += len(message.get("body", b""))
            self.finished = not message.get("more_body", False)
            if self.held is not None:
                return self._hold(message)
            if self.finished and self.admitted:
                # What an app does when it has answered is background work, and holds no place.
                self.leave(self._inbound.clock.monotonic_s())
        elif kind == "http.response.pathsend":
            self.finished = True
            if self.held is not None:
                self.held.append(message)
                return self._release()
        return self._send(message)

    def _is_held(self, start: Message) -> bool:
        """Return whether an error of the app is kept back until it is known what becomes of it."""
        if self.refusal is not None:
            return False
        if self._body_exceeded():
            return True
        is_asked = start["status"] == _UNHANDLED or self._inbound.problem_errors
        return is_asked and not _header(start, b"content-type").startswith(_EVENTS)

    def _dress(self, message: Message) -> Message:
        """Return the beginning of an answer with everything that parts add to its headers."""
        inbound = self._inbound
        headers = list(message.get("headers", ()))
        # The names, in C; the values are not looked at.
        names = dict(headers)
        if b"Content-Type" in names:
            headers = _lowered(headers)
            names = dict(headers)
        if self.admitted and names.get(b"content-type", b"").startswith(_EVENTS):
            # A place is for work that ends; a stream of events that is open does none by itself.
            self.leave(self.begun_s)
        perimeter = inbound.perimeter
        if perimeter.hidden and not perimeter.hidden.isdisjoint(names):
            headers = [pair for pair in headers if pair[0] not in perimeter.hidden]
        headers += perimeter.dress(self, names)
        if self.noted is not None:
            headers += self.noted
        if b"x-request-id" not in names:
            headers.append((b"x-request-id", self.request_id.encode()))
        if inbound.drain.stopping and self.scope.get("http_version", "1.1") < "2":
            # The client opens its next connection elsewhere.
            headers.append(_CLOSE)
        return {**message, "headers": headers}

    def _hold(self, message: Message) -> Awaitable[None]:
        held = self.held
        assert held is not None
        held.append(message)
        if self.size > HELD_BYTES_MAX:
            return self._release()
        if (
            not self.finished
            and not self._body_exceeded()
            and not _header(held[0], b"content-length")
        ):
            # A stream: its reader waits for each part, and nobody knows when it ends.
            return self._release()
        if self.finished and self.status != _UNHANDLED:
            return self.let_go()
        return _NOTHING

    async def _release(self) -> None:
        """Send what was held as it is."""
        held, self.held = self.held, None
        assert held is not None
        held[0] = self._dress(held[0])
        for message in held:
            await self._send(message)

    async def let_go(self) -> None:
        """Send what was held: the app meant it, be it as a problem document where that is asked."""
        held = self.held
        assert held is not None
        if self._counted is not None and self._counted.exceeded:
            # Whatever the framework made of it: FastAPI's own answer is a 400.
            await self._answer(self._counted.refusal)
            return
        if not self.finished:
            await self._release()
            return
        headers = _lowered(held[0].get("headers", ()))
        kind = next((value for name, value in headers if name == b"content-type"), None)
        told = self._inbound.document_of(
            self,
            None if kind is None else kind.decode("latin-1"),
            decoded(
                b"".join(message.get("body", b"") for message in held[1:]),
                _header(held[0], b"content-encoding").decode("latin-1"),
                bytes_max=HELD_BYTES_MAX,
            ),
        )
        if told is not None:
            kind_told, document = told
            kept = [
                pair
                for pair in headers
                if pair[0] not in {b"content-type", b"content-length", b"content-encoding"}
            ]
            held[0] = {**held[0], "headers": [*_described(kind_told, document), *kept]}
            held[1:] = [{"type": "http.response.body", "body": self._body(document)}]
            self.size = len(document)
        await self._release()

    def leave(self, now_s: float) -> None:
        """Give the place of admission back; it holds one."""
        self.admitted = False
        admission = self._inbound.admission
        assert admission is not None, "a place is of admission"
        admission.leave(self, now_s)

    def _body_exceeded(self) -> bool:
        return self._counted is not None and self._counted.exceeded

    def silence(self, error: BaseException | None) -> bool:
        """Take the deadline out; return whether ``error`` is its cancellation. Once counts."""
        if self._silent or self.alarm is None:
            return False
        self._silent = True
        return self.alarm.silence(error)

    def cut(self) -> None:
        """Answer in the app's place: its time is up, and its answer has not begun."""
        self.is_cut = True
        self._late = asyncio.get_running_loop().create_task(self._answer(OVERRAN))

    async def settle(self) -> None:
        """Wait until the answer in the app's place is sent; a client that has left is no matter."""
        await asyncio.wait([self._late])
        if not self._late.cancelled() and (error := self._late.exception()) is not None:
            self.error = type(error).__name__

    @property
    def begun(self) -> bool:
        """Whether the client has got the beginning of an answer."""
        return self.status != 0 and self.held is None

    async def refuse(self, refusal: Refusal) -> None:
        """Answer with a refusal.

        Raises:
            Refused: An answer has begun and isn't whole: the server tears it off.
        """
        if self.is_cut:
            return
        if not self.begun:
            await self._answer(refusal)
        elif not self.finished:
            raise Refused(refusal)

    async def fail(self, error: Exception) -> None:
        """Answer for an app that raised.

        With an answer that is whole, or not begun, the error ends here: it is told once, with its
        trace id, and a server that were told too would tell it again. An answer that has begun
        and isn't whole must be torn off, so that the client sees it is not; that is the server's
        work, and the error goes on to it.
        """
        self.error = type(error).__name__
        if self.is_cut:
            # What an app makes of being cancelled is not a failure of its own.
            return
        if self.error in _LEFT and not self.begun:
            # Nobody is there to be answered, and nothing is wrong.
            self.held, self.status = None, 0
            return
        if self.begun and not self.finished:
            self._inbound.failed(self, error)
            raise error
        refusal = refusal_of(error)
        if refusal is FAILED:
            self._inbound.failed(self, error)
        if not self.begun:
            await self._answer(refusal)

    async def answer_preflight(self, preflight: Preflight) -> None:
        """Answer a browser that asks whether a page may ask; nothing but the id is added."""
        self.status = preflight.status
        self.begun_s = self._inbound.clock.monotonic_s()
        headers = [*preflight.headers, (b"x-request-id", self.request_id.encode())]
        await self._send(
            {"type": "http.response.start", "status": preflight.status, "headers": headers}
        )
        await self._send({"type": "http.response.body", "body": b""})

    async def refuse_handshake(self, refusal: Refusal) -> None:
        """Answer a websocket's handshake with a refusal, over ASGI's extension for that."""
        self._inbound.refused(self, refusal)
        self.status = refusal.status
        document, headers = self._problem(refusal)
        start = {"type": "websocket.http.response.start", "status": refusal.status}
        await self._send(self._dress({**start, "headers": headers}))
        await self._send({"type": "websocket.http.response.body", "body": document})

    async def _answer(self, refusal: Refusal) -> None:
        self._inbound.refused(self, refusal)
        self.held, self.size = None, 0
        document, headers = self._problem(refusal)
        self.status = refusal.status
        self.begun_s = self._inbound.clock.monotonic_s()
        start = {"type": "http.response.start", "status": refusal.status, "headers": headers}
        await self._send(self._dress(start))
        self.size, self.finished = len(document), True
        await self._send({"type": "http.response.body", "body": self._body(document)})

    def _problem(self, refusal: Refusal) -> tuple[bytes, list[tuple[bytes, bytes]]]:
        kind, document = self._inbound.told(self, refusal)
        return document, [*_described(kind, document), *refusal.headers]

    def _body(self, document: bytes) -> bytes:
        return b"" if self.method == "HEAD" else document


def _described(kind: str, document: bytes) -> RawHeaders:
    """Return the headers that say what a document of ours is."""
    return (
        (b"content-type", kind.encode()),
        (b"content-length", str(len(document)).encode()),
        VARY,
    )


def _lowered(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return headers as ASGI wants them. Django writes their names as people do."""
    return [(name.lower(), value) for name, value in headers]


def _header(start: Message, wanted: bytes) -> bytes:
    """Return a header of an answer; empty where it has none."""
    for name, value in start.get("headers", ()):
        if name.lower() == wanted:
            found: bytes = value
            return found
    return b""


class _Nothing:
    """What is awaited where there is nothing to wait for."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, None, None]:
        return iter(())  # type: ignore[return-value]  # Any iterator will do, and this one is free.


_NOTHING = _Nothing()


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
