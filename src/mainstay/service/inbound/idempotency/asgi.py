"""The ASGI side: reads the body, asks once, and listens to the answer on its way out."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from mainstay.core.errors import StoreUnavailable
from mainstay.service.inbound.asgi.types import AsgiApp, Message, Receive, Scope, Send
from mainstay.service.inbound.exchange import EXCHANGE_KEY, Exchange
from mainstay.service.inbound.handler_ended import HandlerEnded
from mainstay.service.inbound.idempotency import refusals
from mainstay.service.inbound.idempotency.answer import Answer, lasting, replay_headers
from mainstay.service.inbound.idempotency.attempt import Attempt, enter_attempt, leave_attempt
from mainstay.service.inbound.idempotency.idempotency import Idempotency
from mainstay.service.inbound.problems.refusal import Refused

ATTEMPT_KEY = "mainstay.idempotency"

# Messages that end an answer without showing its body: a file that the server sends by itself.
_HIDDEN_BODIES = frozenset({"http.response.pathsend", "http.response.zerocopysend"})


class AsgiKeyed:
    """An ASGI app that asks another one once for each key.

    Args:
        idempotency: What decides.
        app: Asked at once where a request has no key, which costs one look-up of a header.
    """

    __slots__ = ("_app", "_idempotency")

    def __init__(self, idempotency: Idempotency, app: AsgiApp) -> None:
        self._idempotency = idempotency
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer one request, whose exchange the shell has put into its scope."""
        key = self._idempotency.key_of(scope[EXCHANGE_KEY])
        if key is None:
            return self._app(scope, receive, send)
        return self._keyed(key, scope, receive, send)

    async def _keyed(self, key: bytes, scope: Scope, receive: Receive, send: Send) -> None:
        idempotency = self._idempotency
        body = await _read(receive, idempotency.body_bytes_max)
        if not body.whole:
            # The client left before it had said all: the app hears so, as it would without us.
            await self._app(scope, body.receive, send)
            return
        query = scope.get("query_string", b"")
        exchange = scope[EXCHANGE_KEY]
        attempt = idempotency.attempt(exchange, key, query, body.data)
        answer = await _begin(idempotency, attempt)
        if answer is not None:
            await _replay(answer, send)
            return
        scope[ATTEMPT_KEY] = attempt
        _show_bodies(scope)
        listener = _Listener(idempotency, attempt, exchange, send, body.answered)
        token = enter_attempt(attempt)
        try:
            await self._app(scope, body.receive, listener.send)
        except BaseException as error:
            await listener.fail(error)
            raise
        else:
            await listener.settle_unfinished()
        finally:
            leave_attempt(token)


async def _begin(idempotency: Idempotency, attempt: Attempt) -> Answer | None:
    """Return the answer to repeat, or None where the attempt may do the work."""
    try:
        claim = await idempotency.records.abegin(attempt.record, idempotency.bid(attempt))
    except StoreUnavailable as error:
        raise idempotency.unbegun(attempt, error) from error
    except asyncio.CancelledError:
        # It may have been taken, and nothing was done.
        idempotency.forget(attempt)
        raise
    return idempotency.judge(attempt, claim)


def _show_bodies(scope: Scope) -> None:
    """Have the app send files as parts, which are kept, where it would have the server do that."""
    extensions = scope.get("extensions") or {}
    if not _HIDDEN_BODIES.isdisjoint(extensions):
        shown = {name: one for name, one in extensions.items() if name not in _HIDDEN_BODIES}
        scope["extensions"] = shown


async def _replay(answer: Answer, send: Send) -> None:
    headers = replay_headers(answer)
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body or b""})


class _Body:
    """A body that was read, given to the app as if it came now.

    That its client left, the app hears once its answer has begun: until then the work goes on,
    whatever a framework does with handlers whose client is gone (Quart and Django cancel them).
    """

    __slots__ = ("_begun", "_given", "_receive", "data", "whole")

    def __init__(self, data: bytes, receive: Receive, *, whole: bool) -> None:
        self.data = data
        self.whole = whole
        self._receive = receive
        self._given = False
        self._begun = asyncio.Event()

    def answered(self) -> None:
        """Note that the answer has begun."""
        self._begun.set()

    async def receive(self) -> Message:
        """Return the body, then what the server says next: that the client left."""
        if not self._given:
            self._given = True
            return {"type": "http.request", "body": self.data, "more_body": not self.whole}
        if not self.whole:
            return {"type": "http.disconnect"}
        message = await self._receive()
        if message["type"] == "http.disconnect":
            await self._begun.wait()
        return message


async def _read(receive: Receive, bytes_max: int) -> _Body:
    """Read a whole body.

    Raises:
        Refused: It is longer than ``bytes_max``.
    """
    message = await receive()
    data: bytes | bytearray = message.get("body", b"")
    if len(data) <= bytes_max and message.get("more_body") and message["type"] == "http.request":
        # Into one piece: a million messages of one byte would be a hundred times as large.
        data = bytearray(data)
        while message["type"] == "http.request" and message.get("more_body"):
            message = await receive()
            data += message.get("body", b"")
            if len(data) > bytes_max:
                break
    if len(data) > bytes_max:
        raise Refused(refusals.BODY_TOO_LARGE)
    return _Body(bytes(data), receive, whole=message["type"] == "http.request")


class _Listener:
    """Collects an answer while it passes, and keeps it before its last part goes out.

    So a client that has a whole answer can count on getting it again. A stream flows as ever.
    """

    __slots__ = (
        "_answered", "_attempt", "_body", "_exchange", "_headers", "_idempotency", "_room", "_send",
        "_status", "settled",
    )  # fmt: skip

    def __init__(
        self,
        idempotency: Idempotency,
        attempt: Attempt,
        exchange: Exchange,
        send: Send,
        answered: Callable[[], None],
    ) -> None:
        self._idempotency = idempotency
        self._attempt = attempt
        self._exchange = exchange
        self._answered = answered
        self._send = send
        self._status = 0
        self._headers: list[Any] = []
        self._body: bytearray | None = bytearray()
        self._room = idempotency.answer_bytes_max
        self.settled = False

    def send(self, message: Message) -> Awaitable[None]:
        """Note what the answer is and hand it on."""
        kind = message["type"]
        if kind == "http.response.body":
            if self._body is not None:
                self._collect(message.get("body", b""))
        elif kind == "http.response.start":
            self._status = message["status"]
            self._headers = list(message.get("headers", ()))
            self._answered()
            return self._send(message)
        elif kind in _HIDDEN_BODIES:
            self._body = None
        else:
            return self._send(message)
        if message.get("more_body", False) or self.settled:
            return self._send(message)
        return self._last(message)

    async def fail(self, error: BaseException) -> None:
        """Settle for work that ended in an exception."""
        if self.settled:
            return
        if isinstance(error, Exception) and not isinstance(error, HandlerEnded):
            await self._settle(self._idempotency.failed_answer(self._attempt))
        else:
            # Ended in the midst of the work: as good as a crash.
            self._idempotency.abandon(self._attempt)

    async def settle_unfinished(self) -> None:
        """Settle for an app that returned without a whole answer: its client left, mostly."""
        if self.settled:
            return
        if self._status == 0:
            # Nobody says how far it came: its framework has cancelled the handler, mostly.
            self._idempotency.abandon(self._attempt)
            return
        unfinished = Answer(status=self._status, headers=(), body=None)
        await self._settle(self._idempotency.lasting_answer(self._attempt, unfinished))

    async def _settle(self, data: bytes | None) -> None:
        if data is None and self._idempotency.is_cut(self._exchange):
            self._idempotency.abandon(self._attempt)
        else:
            await self._idempotency.asettle(self._attempt, data)

    def _collect(self, part: bytes) -> None:
        assert self._body is not None, "collected while it fits"
        if len(self._body) + len(part) > self._room:
            self._body = None
        else:
            self._body += part

    async def _last(self, message: Message) -> None:
        body = None if self._body is None else bytes(self._body)
        answer = Answer(status=self._status, headers=lasting(tuple(self._headers)), body=body)
        data = self._idempotency.lasting_answer(self._attempt, answer)
        # Before the first await: whoever is cancelled in it has an answer on its way.
        self.settled = True
        await self._settle(data)
        await self._send(message)
