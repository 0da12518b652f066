"""Both shells around an app that does as the path says, asked in one way by tests."""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from mainstay.core.trace import current_trace
from mainstay.service.service import Service

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Seen:
    """What the handler of either app saw."""

    trace: Any = None
    in_flight: int = -1


class Kind:
    """One of the two shells around an app that does as the path says.

    Attributes:
        peer: Who asks.
    """

    name = ""
    peer = "192.0.2.7"

    def __init__(self, service: Service) -> None:
        self.service = service
        self.seen = Seen()
        self.shell = self.wrap()

    def wrap(self) -> Any:
        raise NotImplementedError

    def ask(self, path: str, *, method: str = "GET", **headers: str) -> Answer:
        raise NotImplementedError

    def look(self) -> None:
        self.seen.trace = current_trace()
        self.seen.in_flight = len(self.service._inbound.drain.flights)


class Asgi(Kind):
    name = "asgi"

    def wrap(self) -> Any:
        return self.service.asgi(self.app)

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        self.look()
        assert scope["mainstay.exchange"].trace is current_trace()
        if scope["path"] == "/raises":
            raise LookupError("secret detail")
        await send({"type": "http.response.start", "status": 201, "headers": []})
        await send({"type": "http.response.body", "body": b"abc", "more_body": True})
        if scope["path"] == "/breaks":
            raise LookupError("secret detail")
        await send({"type": "http.response.body", "body": b"de"})

    def ask(self, path: str, *, method: str = "GET", **headers: str) -> Answer:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            return {"type": "http.request", "body": b""}

        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "http_version": "1.1",
            "client": (self.peer, 5),
            "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
        }
        asyncio.run(self.shell(scope, receive, send))
        assert current_trace() is None
        head = {k.decode(): v.decode() for k, v in sent[0]["headers"]}
        return Answer(sent[0]["status"], head, b"".join(m.get("body", b"") for m in sent[1:]))


class Wsgi(Kind):
    name = "wsgi"

    def wrap(self) -> Any:
        return self.service.wsgi(self.app)

    def app(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        self.look()
        assert environ["mainstay.exchange"].trace is current_trace()
        if environ["PATH_INFO"] == "/raises":
            raise LookupError("secret detail")
        start_response("201 Created", [])
        return self.parts(breaks=environ["PATH_INFO"] == "/breaks")

    def parts(self, *, breaks: bool) -> Iterator[bytes]:
        yield b"abc"
        self.look()
        if breaks:
            raise LookupError("secret detail")
        yield b"de"

    def ask(self, path: str, *, method: str = "GET", **headers: str) -> Answer:
        heads: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(status: str, head: Any, exc_info: Any = None) -> None:
            heads.append((status, head))

        environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "REMOTE_ADDR": self.peer}
        environ.update(
            {f"HTTP_{key.upper().replace('-', '_')}": value for key, value in headers.items()}
        )
        result = self.shell(environ, start_response)
        try:
            body = b"".join(result)
        finally:
            if hasattr(result, "close"):
                result.close()
            assert current_trace() is None
        status, head = heads[-1]
        return Answer(int(status[:3]), {k.lower(): v for k, v in head}, body)
