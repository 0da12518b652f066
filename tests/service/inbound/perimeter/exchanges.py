"""Requests as the shells make them, for the perimeter."""

from collections.abc import Mapping
from typing import Any

from mainstay.service.inbound.exchange import Exchange
from mainstay.service.inbound.perimeter import Perimeter
from mainstay.spec.perimeter import Cors

ORIGIN = b"https://shop.example"
CORS = Cors(origins=("https://shop.example", "https://*.shop.example"))
CSP = b"content-security-policy"
JSON = {b"content-type": b"application/json", b"content-length": b"2"}


def make_exchange(
    headers: Mapping[bytes, bytes] | None = None,
    *,
    method: str = "GET",
    path: str = "/",
    status: int = 200,
    trusted: bool = False,
    client: str | None = "203.0.113.9",
    scope: dict[str, Any] | None = None,
) -> Exchange:
    """Return a request over plain HTTP/1.1; ``headers`` have names in lower case."""
    exchange = Exchange()
    exchange.scope = {"scheme": "http", "http_version": "1.1"} if scope is None else scope
    exchange.kind = "http"
    exchange.method = method
    exchange.path = path
    exchange.status = status
    exchange.get = dict(headers or {}).get
    exchange.trusted = trusted
    exchange.client = client
    return exchange


def dressed(perimeter: Perimeter, exchange: Exchange, *names: bytes) -> dict[bytes, bytes]:
    """Return what an answer in JSON wears; ``names`` are headers that the app has said itself."""
    headers = perimeter.dress(exchange, JSON | dict.fromkeys(names, b"x"))
    found = dict(headers)
    assert len(found) == len(headers), "a header came twice"
    return found
