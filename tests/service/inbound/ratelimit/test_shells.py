"""Limits inside the wrapper, as a user has them: both shells, and what is exempt."""

import json
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any

import httpx
import pytest
from tests.service.inbound.ratelimit.kit import limit

from mainstay.service.inbound.asgi.types import Receive, Scope, Send
from mainstay.service.inbound.exchange import Exchange
from mainstay.service.service import Service
from mainstay.spec.declaration import Declaration
from mainstay.spec.inbound import Inbound
from mainstay.spec.perimeter import Cors
from mainstay.spec.ratelimit import RateLimit

Headers = dict[str, str]
Ask = Callable[..., Awaitable[httpx.Response]]

PAGE = "https://page.example"


def service(*limits: RateLimit) -> Service:
    inbound = Inbound(rate_limit=limits, cors=Cors(origins=(PAGE,)), access_log=False)
    return Service(Declaration(service="shop", app="a:a", inbound=inbound), environ={})


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": 1000})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


def wsgi_hello(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    """Any: WSGI's own."""
    start("200 OK", [])
    return [b"hello"]


async def ask_asgi(made: Service, path: str, method: str, headers: Headers) -> httpx.Response:
    transport = httpx.ASGITransport(app=made.asgi(hello))
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
        return await client.request(method, path, headers=headers)


def ask_wsgi(made: Service, path: str, method: str, headers: Headers) -> httpx.Response:
    transport = httpx.WSGITransport(app=made.wsgi(wsgi_hello))
    with httpx.Client(transport=transport, base_url="http://shop") as client:
        return client.request(method, path, headers=headers)


@pytest.fixture(params=["asgi", "wsgi"])
def ask(request: pytest.FixtureRequest) -> Ask:
    """Return what sends a request to the app of a service."""

    async def send(
        made: Service, path: str = "/", method: str = "GET", headers: Headers | None = None
    ) -> httpx.Response:
        if request.param == "asgi":
            return await ask_asgi(made, path, method, headers or {})
        return ask_wsgi(made, path, method, headers or {})

    return send


async def test_the_second_is_one_too_many(ask: Ask) -> None:
    made = service(limit("1/min"))
    first, second = await ask(made), await ask(made)
    assert (first.status_code, second.status_code) == (200, 429)
    assert first.headers["ratelimit"] == '"default";r=0;t=60'
    assert first.headers["ratelimit-policy"] == '"default";q=1;w=60'
    assert second.headers["retry-after"] == "60"
    assert second.headers["ratelimit"] == '"default";r=0;t=60'
    assert second.headers["content-type"] == "application/problem+json"
    problem = json.loads(second.content)
    assert problem["status"] == 429
    assert problem["type"].endswith("#rate-limited")


async def test_probes_and_preflights_are_exempt(ask: Ask) -> None:
    made = service(limit("1/min"))
    for _ in range(3):
        assert (await ask(made, "/health/live")).status_code == 200
        asks = {"origin": PAGE, "access-control-request-method": "POST"}
        preflight = await ask(made, "/", "OPTIONS", asks)
        assert preflight.status_code == 204
    assert (await ask(made)).status_code == 200
    assert (await ask(made, "/health/live")).status_code == 200


async def test_a_key_function_counts_and_its_mistake_is_the_apps(ask: Ask) -> None:
    made = service(limit("1/min", by="user"))

    @made.limit_key("user")
    def user(exchange: Exchange) -> str | None:
        return str(int(exchange.get(b"who") or b""))

    statuses = [
        (await ask(made, headers={"who": who})).status_code for who in ("1", "1", "2", "ann", "3")
    ]
    assert statuses == [200, 429, 200, 500, 200]


class _Later:
    async def __call__(self, exchange: Exchange) -> str:
        raise AssertionError(exchange)


@pytest.mark.parametrize("later", [_Later(), _Later().__call__, partial(_Later().__call__)])
def test_a_coroutine_function_can_tell_nobody(later: Any) -> None:
    """Its result is an object of its own at each call: every request would be a new caller's."""
    made = service(limit("1/min", by="user"))
    with pytest.raises(TypeError, match="can't be a coroutine"):
        made.limit_key("user")(later)
    # Nothing was registered.
    made.limit_key("user")(lambda _: "ann")


async def test_a_websockets_handshake_is_a_request() -> None:
    made = service(limit("1/min", methods=("WEBSOCKET",)))
    app = made.asgi(hello)

    async def connect() -> list[str]:
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "websocket.connect"}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "websocket", "path": "/", "headers": [], "client": ("203.0.113.9", 1),
            "http_version": "1.1", "scheme": "ws", "query_string": b"", "subprotocols": [],
        }  # fmt: skip
        await app(scope, receive, send)
        return [message["type"] for message in sent]

    assert await connect() == ["websocket.accept", "websocket.close"]
    assert "websocket.accept" not in await connect()
