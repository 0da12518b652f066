"""One request in flight over ASGI: what becomes of its answer on the way out."""

import asyncio
import math
from collections.abc import Awaitable, Iterable

from mainstay.core.alarm import NOWHERE, Alarm
from mainstay.service.inbound.asgi.messages import CONTENT, NOTHING, described, header_of, lowered
from mainstay.service.inbound.asgi.overrun import waits_for_thread
from mainstay.service.inbound.asgi.types import Message, Receive, Send
from mainstay.service.inbound.exchange import Exchange
from mainstay.service.inbound.handler_ended import HandlerEnded
from mainstay.service.inbound.inbound import Inbound
from mainstay.service.inbound.perimeter.body import BoundedReceive
from mainstay.service.inbound.perimeter.outfit import CONTENT_TYPE, EVENTS, REQUEST_ID, Outfit
from mainstay.service.inbound.perimeter.preflight import Preflight
from mainstay.service.inbound.problems.encoded import decoded
from mainstay.service.inbound.problems.failure import BODY_LATE, FAILED, OVERRAN, refusal_of
from mainstay.service.inbound.problems.refusal import Refusal, Refused
from mainstay.service.inbound.slow_clients import READER_S

HELD_BYTES_MAX = 65_536
"""So much of an error's body is kept back until it is known what becomes of it."""

_CLOSE = (b"connection", b"close")
_LEFT = frozenset(("ClientDisconnect", "ClientDisconnected", "RequestAborted"))
"""What Starlette, Quart and Django raise where a body ends since its client has left."""

_ERRORS_FROM = 400
_UNHANDLED = 500


class Flight(Exchange):
    """One request and its answer over ASGI; ``board`` makes them.

    Attributes:
        inbound: The parts of the service.
        deliver: The server's ``send``.
        bounded: Counts the body, where no header says its length.
        has_length: Whether the head tells how long the body is.
        has_chunks: Whether the head says that the body comes in chunks.
        is_secure: Whether the client came by HTTPS, to this process or to a proxy that is trusted.
        admitted: Whether it holds a place of admission.
        armed: Whether it ends its app when it expires: from when the app is asked until its answer
            begins.
        finished: Whether the whole answer was sent.
        held: Messages of an error that are kept back; None where none is.
        is_cut: Whether it was answered in the app's place since its time was up: what the app says
            from then on goes nowhere.
        is_reading: Whether it waits for more of its client's body.
    """

    __slots__ = (
        "_late", "admitted", "armed", "bounded", "deliver", "finished", "has_chunks", "has_length",
        "held", "inbound", "is_cut", "is_reading", "is_secure",
    )  # fmt: skip

    inbound: Inbound
    deliver: Send
    bounded: BoundedReceive | None
    has_length: bool
    has_chunks: bool
    is_secure: bool
    admitted: bool
    armed: bool
    finished: bool
    held: list[Message] | None
    is_cut: bool
    is_reading: bool
    _late: asyncio.Task[None]

    @property
    def has_nonce(self) -> bool:
        """Whether the policy of its pages knows nonces."""
        return self.inbound.perimeter.has_nonce

    def counted(self, receive: Receive) -> Receive:
        """Return ``receive`` with a count of the body, whose length no header says."""
        body_max = self.inbound.perimeter.body_max
        assert body_max is not None, "counted only where there is a bound"
        self.bounded = BoundedReceive(receive, body_max)
        return self.bounded

    def send(self, message: Message) -> Awaitable[None]:
        """Note what the answer is and hand it on. No coroutine of its own: two sends a request."""
        if self.is_cut:
            return NOTHING
        kind = message["type"]
        if kind == "http.response.start":
            # An enumeration is equal to a number, and not written as one.
            self.status = status = int(message["status"])
            if status >= _ERRORS_FROM and self._is_held(message):
                # Its client has nothing yet, and so its deadline holds on.
                self.held = [message]
                return NOTHING
            now = self.inbound.now_s
            self.begun_s = now()
            if self.armed:
                # From here on a stream may take as long as it likes, and so may calls that it
                # makes.
                self.parked.pop(self, None)
                self.expires_s = math.inf
                self.armed = False
            message = self._dress(message)
        elif kind == "http.response.body":
            self.size += len(message.get("body", b""))
            self.finished = finished = not message.get("more_body")
            if self.held is not None:
                return self._hold(message)
            if self.admitted:
                if not finished:
                    return self._hand_over(message)
                # What an app does when it has answered is background work, and holds no place.
                self.admitted = False
                inbound = self.inbound
                now = inbound.now_s
                inbound.admission.leave(self, now())  # type: ignore[union-attr]  # It admitted it.
        elif kind == "http.response.pathsend":
            return self._send_file(message)
        send = self.deliver
        return send(message)

    def _send_file(self, message: Message) -> Awaitable[None]:
        """Hand on a file that the server sends by itself, as fast as its client reads."""
        self.finished = True
        if self.held is not None:
            self.held.append(message)
            return self._release()
        if self.admitted:
            self.leave(self.begun_s)
        return self.deliver(message)

    async def _hand_over(self, message: Message) -> None:
        """Send a part of a stream; a client that doesn't read it holds no place for long."""
        timer = asyncio.get_running_loop().call_later(READER_S, self._make_room)
        try:
            await self.deliver(message)
        finally:
            timer.cancel()

    def _make_room(self) -> None:
        if self.admitted:
            self.leave(self.inbound.now_s())

    def _is_held(self, start: Message) -> bool:
        """Return whether an error of the app is kept back until it is known what becomes of it."""
        if self.refusal is not None:
            return False
        if self._body_exceeded():
            return True
        is_asked = start["status"] == _UNHANDLED or self.inbound.problem_errors
        return is_asked and not header_of(start, b"content-type").startswith(EVENTS)

    def _dress(self, message: Message) -> Message:
        """Return the beginning of an answer with everything that parts add to its headers."""
        inbound = self.inbound
        headers = message.get("headers", ())
        perimeter = inbound.perimeter
        heeded, media = perimeter.heeded, None
        # Few headers, and nearly none that is heeded: to look at each costs less than a dict.
        for name, value in headers:
            if name in heeded:
                if name != CONTENT_TYPE:
                    dressed = self._fitted(headers)
                    break
                media = value
        else:
            known = perimeter.secure if self.is_secure else perimeter.plain
            outfit = known.get(media) or self._outfit(dict(headers))
            dressed = [*headers, *outfit.headers, (REQUEST_ID, self.request_id.encode())]
        if self.noted is not None:
            dressed += self.noted
        if inbound.drain.stopping and self.scope.get("http_version", "1.1") < "2":
            # The client opens its next connection elsewhere.
            dressed.append(_CLOSE)
        if len(message) == 3:  # noqa: PLR2004  These, and nothing to be copied: a third of the cost.
            return {"type": message["type"], "status": self.status, "headers": dressed}
        return {**message, "headers": dressed}

    def _outfit(self, names: dict[bytes, bytes]) -> Outfit:
        """Return what an answer wears of a type that says too little to decide, or is new."""
        if self.admitted and names.get(b"content-type", b"").startswith(EVENTS):
            # A place is for work that ends; a stream of events that is open does none by itself.
            self.leave(self.begun_s)
        return self.inbound.perimeter.outfit(self, names)

    def _fitted(self, headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """Return headers among which the app set some of ours, with those that are added."""
        own = lowered(headers)
        names = dict(own)
        hidden = self.inbound.perimeter.hidden
        dressed = [pair for pair in own if pair[0] not in hidden]
        dressed += self._outfit(names).less(names)
        if REQUEST_ID not in names:
            dressed.append((REQUEST_ID, self.request_id.encode()))
        return dressed

    def _hold(self, message: Message) -> Awaitable[None]:
        held = self.held
        assert held is not None
        held.append(message)
        if self.size > HELD_BYTES_MAX:
            return self._release()
        if (
            not self.finished
            and not self._body_exceeded()
            and not header_of(held[0], b"content-length")
        ):
            # A stream: its reader waits for each part, and nobody knows when it ends.
            return self._release()
        if self.finished and self.status != _UNHANDLED:
            return self.let_go()
        return NOTHING

    async def _release(self) -> None:
        """Send what was held as it is."""
        held, self.held = self.held, None
        assert held is not None
        self._begin()
        held[0] = self._dress(held[0])
        for message in held:
            await self.deliver(message)

    async def let_go(self) -> None:
        """Send what was held: the app meant it, be it as a problem document where that is asked."""
        held = self.held
        assert held is not None
        if self.bounded is not None and self.bounded.exceeded:
            # Whatever the framework made of it: FastAPI's own answer is a 400.
            await self._answer(self.bounded.refusal)
            return
        if not self.finished:
            await self._release()
            return
        headers = lowered(held[0].get("headers", ()))
        kind = next((value for name, value in headers if name == b"content-type"), None)
        told = self.inbound.document_of(
            self,
            None if kind is None else kind.decode("latin-1"),
            decoded(
                b"".join(message.get("body", b"") for message in held[1:]),
                header_of(held[0], b"content-encoding").decode("latin-1"),
                bytes_max=HELD_BYTES_MAX,
            ),
        )
        if told is not None:
            kind_told, document = told
            kept = [pair for pair in headers if pair[0] not in CONTENT]
            held[0] = {**held[0], "headers": [*described(kind_told, document), *kept]}
            held[1:] = [{"type": "http.response.body", "body": self._body(document)}]
            self.size = len(document)
        await self._release()

    def _begin(self) -> None:
        """Note that an answer which was held, or is the wrapper's own, leaves now."""
        now = self.inbound.now_s
        self.begun_s = now()
        if self.armed and not self.is_cut:
            self.parked.pop(self, None)
            self.expires_s = math.inf
            self.armed = False

    def leave(self, now_s: float) -> None:
        """Give the place of admission back; it holds one."""
        self.admitted = False
        admission = self.inbound.admission
        assert admission is not None, "a place is of admission"
        admission.leave(self, now_s)

    def _body_exceeded(self) -> bool:
        return self.bounded is not None and self.bounded.exceeded

    def silence(self, error: BaseException | None) -> bool:
        """Take the deadline out; return whether ``error`` is its cancellation. Once counts."""
        if not self.armed:
            return False
        self.armed = False
        return Alarm.silence(self, error)

    def ring(self) -> None:
        """Answer in the app's place; end the app, where it can be ended."""
        self.cut()
        if waits_for_thread(self.task):
            self.parked = NOWHERE
        else:
            Alarm.ring(self)

    def cut(self) -> None:
        """Answer in the app's place: its time is up, and its answer has not begun."""
        self.is_cut = True
        self.held = None
        # Of a client that sends too slowly, the service can't be said to be late.
        refusal = BODY_LATE if self.is_reading else OVERRAN
        self._late = asyncio.get_running_loop().create_task(self._answer(refusal))

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

    async def fail(self, error: BaseException) -> None:
        """Answer for an app that raised.

        With an answer that is whole, or not begun, the error ends here: it is told once, with its
        trace id, and a server that were told too would tell it again. An answer that has begun
        and isn't whole must be torn off, so that the client sees it is not; that is the server's
        work, and the error goes on to it.

        Raises:
            HandlerEnded: For what is no ``Exception``: with such a one a server ends, or takes it
                for a client that has left.
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
            self.inbound.report(self, error)
            if isinstance(error, Exception):
                raise error
            raise HandlerEnded(f"the handler ended by {self.error}") from error
        refusal = refusal_of(error)
        if refusal is FAILED:
            self.inbound.report(self, error)
        if not self.begun:
            await self._answer(refusal)

    async def answer_preflight(self, preflight: Preflight) -> None:
        """Answer a browser that asks whether a page may ask; nothing but the id is added."""
        self.status = preflight.status
        self.begun_s = self.inbound.clock.monotonic_s()
        headers = [*preflight.headers, (REQUEST_ID, self.request_id.encode())]
        await self.deliver(
            {"type": "http.response.start", "status": preflight.status, "headers": headers}
        )
        await self.deliver({"type": "http.response.body", "body": b""})

    async def refuse_handshake(self, refusal: Refusal) -> None:
        """Answer a websocket's handshake with a refusal, over ASGI's extension for that."""
        self.inbound.refused(self, refusal)
        self.status = refusal.status
        document, headers = self._problem(refusal)
        start = {"type": "websocket.http.response.start", "status": refusal.status}
        await self.deliver(self._dress({**start, "headers": headers}))
        await self.deliver({"type": "websocket.http.response.body", "body": document})

    async def _answer(self, refusal: Refusal) -> None:
        self.inbound.refused(self, refusal)
        self.held, self.size = None, 0
        document, headers = self._problem(refusal)
        self.status = refusal.status
        self._begin()
        start = {"type": "http.response.start", "status": refusal.status, "headers": headers}
        await self.deliver(self._dress(start))
        self.size, self.finished = len(document), True
        await self.deliver({"type": "http.response.body", "body": self._body(document)})

    def _problem(self, refusal: Refusal) -> tuple[bytes, list[tuple[bytes, bytes]]]:
        kind, document = self.inbound.told(self, refusal)
        return document, [*described(kind, document), *refusal.headers]

    def _body(self, document: bytes) -> bytes:
        return b"" if self.method == "HEAD" else document
