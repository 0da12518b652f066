"""Both wrappers as one: an app that is asked by hand, with an exchange as the shells make it."""

import asyncio
import io
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from mainstay.core.events import Event, Listeners
from mainstay.service.inbound.exchange import Exchange
from mainstay.service.inbound.idempotency.asgi import AsgiKeyed
from mainstay.service.inbound.idempotency.attempt import idempotency
from mainstay.service.inbound.idempotency.idempotency import Idempotency
from mainstay.service.inbound.idempotency.memory import MemoryRecords
from mainstay.service.inbound.idempotency.wsgi import WsgiKeyed
from mainstay.service.inbound.problems.refusal import Refused
from mainstay.spec import idempotency as spec
from mainstay.testing import VirtualClock

KEY = {"idempotency-key": '"8e03978e-40d5-43dd-bc93-6894a57f9324"'}


@dataclass
class Reply:
    """What a client gets; of a refusal, its kind stands for the body."""

    status: int
    headers: dict[str, str]
    body: bytes
    kind: str | None = None


@dataclass
class Request:
    """What a client sends; ``cut``: it leaves in the midst of the body."""

    method: str = "POST"
    path: str = "/orders"
    query: str = ""
    headers: dict[str, str] = field(default_factory=lambda: KEY)
    body: bytes = b"two bikes"
    client: str = "192.0.2.1"
    cut: bool = False
    expires_s: float = math.inf


@dataclass
class Asked:
    """What the app saw of one request."""

    body: bytes
    attempt: Any


@dataclass
class Answering:
    """What the app does: answers so, raises, or says nothing at all."""

    status: int = 201
    headers: list[tuple[str, str]] = field(
        default_factory=lambda: [("Content-Type", "text/plain"), ("Set-Cookie", "a=b")]
    )
    parts: tuple[bytes, ...] = (b"made ", b"it")
    error: BaseException | None = None
    error_after: BaseException | None = None
    silent: bool = False


def exchange_of(scope: dict[str, Any], request: Request) -> Exchange:
    exchange = Exchange()
    exchange.scope = scope
    exchange.method, exchange.path, exchange.client = request.method, request.path, request.client
    exchange.expires_s = request.expires_s
    exchange.get = {k.encode(): v.encode("latin-1") for k, v in request.headers.items()}.get
    return exchange


class Kind:
    """One of the two wrappers around an app that counts what reaches it.

    Attributes:
        cut_off: What ends the work of such an app from outside.
    """

    cut_off: BaseException

    def __init__(
        self, records: Any = None, clock: VirtualClock | None = None, **options: Any
    ) -> None:
        self.clock = clock or VirtualClock()
        self.records = records or MemoryRecords(clock=self.clock)
        self.heard: list[Event] = []
        events = Listeners()
        events.add(self.heard.append)
        principal = options.pop("principal", None)
        self.idempotency = Idempotency(
            spec.Idempotency(store="keys", **options),
            records=self.records,
            clock=self.clock,
            events=events,
            service="shop",
            principal=principal,
        )
        # Without its thread: the tests turn it by hand.
        self.idempotency.close()
        self.asked: list[Asked] = []
        self.does = Answering()
        self.during: Callable[[], None] = lambda: None

    def ask(self, **request: Any) -> Reply:
        """Send a ``Request``. Any: its fields."""
        try:
            return self.answer(Request(**request))
        except Refused as refused:
            refusal = refused.refusal
            named = {k.decode(): v.decode() for k, v in refusal.headers}
            return Reply(refusal.status, named, b"", refusal.kind)

    def answer(self, request: Request) -> Reply:
        raise NotImplementedError

    def note(self, body: bytes) -> None:
        self.asked.append(Asked(body, idempotency()))
        self.during()
        if self.does.error is not None:
            raise self.does.error


class Asgi(Kind):
    cut_off = asyncio.CancelledError()

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        if message["type"] == "http.disconnect":
            return
        self.note(body)
        does = self.does
        if does.silent:
            return
        raw = [(k.lower().encode(), v.encode()) for k, v in does.headers]
        await send({"type": "http.response.start", "status": does.status, "headers": raw})
        for part in does.parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body"})
        if does.error_after is not None:
            raise does.error_after

    def answer(self, request: Request) -> Reply:
        return asyncio.run(self.aanswer(request))

    async def aanswer(self, request: Request) -> Reply:
        sent: list[Any] = []
        first, second = request.body[:5], request.body[5:]
        messages: list[Any] = [
            {"type": "http.request", "body": first, "more_body": True},
            {"type": "http.request", "body": second},
        ]
        if request.cut:
            messages[1] = {"type": "http.disconnect"}

        async def receive() -> Any:
            return messages.pop(0) if messages else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        scope: dict[str, Any] = {"type": "http", "query_string": request.query.encode()}
        scope["mainstay.exchange"] = exchange_of(scope, request)
        await AsgiKeyed(self.idempotency, self.app)(scope, receive, send)
        if not sent:
            return Reply(0, {}, b"")
        named = {k.decode(): v.decode() for k, v in sent[0]["headers"]}
        got = b"".join(one.get("body", b"") for one in sent[1:])
        return Reply(sent[0]["status"], named, got)


class Wsgi(Kind):
    cut_off = SystemExit()

    def app(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        body = environ["wsgi.input"].read()
        if len(body) < int(environ["CONTENT_LENGTH"]):
            return []
        self.note(body)
        if self.does.silent:
            return []
        start_response(f"{self.does.status} Some Phrase", list(self.does.headers))
        return self.parts()

    def parts(self) -> Iterator[bytes]:
        yield from self.does.parts
        if self.does.error_after is not None:
            raise self.does.error_after

    def answer(self, request: Request) -> Reply:
        got: list[Any] = [0, []]

        def start_response(status: str, headers: Any, exc_info: Any = None) -> None:
            got[:] = [int(status[:3]), headers]

        environ: dict[str, Any] = {
            "QUERY_STRING": request.query,
            "CONTENT_LENGTH": str(len(request.body) + request.cut),
            "wsgi.input": io.BytesIO(request.body),
        }
        environ["mainstay.exchange"] = exchange_of(environ, request)
        parts = WsgiKeyed(self.idempotency, self.app)(environ, start_response)
        try:
            whole = b"".join(parts)
        finally:
            if hasattr(parts, "close"):
                parts.close()
        return Reply(got[0], {k.lower(): v for k, v in got[1]}, whole)


KINDS: dict[str, type[Kind]] = {"asgi": Asgi, "wsgi": Wsgi}
