"""What a report says of the request in which an error happened, and what it hides. Pure.

Source: Sentry's developer documentation, "Event Payloads" and its interfaces.
"""

from collections.abc import Mapping
from typing import Any

from mainstay.core.trace import Trace
from mainstay.service.inbound.exchange import Exchange
from mainstay.telemetry.masking import MASKED, Masker

HEADERS_MAX = 64
_HEADER_CHARS_MAX = 1024
_PATH_CHARS_MAX = 2048
_DEPTH_MAX = 32
"""Deeper than any event of the SDK; it ends circles."""


def request_of(exchange: Exchange, route: str | None, masker: Masker) -> dict[str, Any]:
    """Return the sections of a report that a request fills. Any: JSON.

    Without query, cookies and body: what a request means is told by its route. What is too long is
    masked before it is cut, since of half a secret nobody could tell any more that it is one.
    """
    scope = exchange.scope
    headers = _headers_of(scope, masker)
    scheme = scope.get("scheme") or scope.get("wsgi.url_scheme") or "http"
    host = headers.get("host", "")[:255]
    told: dict[str, Any] = {
        "request": {
            "method": exchange.method[:32],
            "url": f"{scheme}://{host}{_bounded(exchange.path, _PATH_CHARS_MAX, masker)}",
            "headers": headers,
        },
        "tags": {"request_id": exchange.request_id},
    }
    if route is not None:
        told["transaction"] = f"{exchange.method[:32]} {route}"
    return told


def trace_section(trace: Trace) -> dict[str, Any]:
    """Return the section that joins a report with spans and lines. Any: JSON."""
    found = {"trace_id": trace.trace_id, "span_id": trace.span_id}
    if trace.parent_id is not None:
        found["parent_span_id"] = trace.parent_id
    return found


def masked(value: Any, masker: Masker, depth: int = 0) -> Any:
    """Return a report without secrets: in values by their keys, in texts by their shape.

    Any: JSON, as the SDK has made it.
    """
    if isinstance(value, str):
        return masker.text(value)
    if depth >= _DEPTH_MAX:
        return MASKED
    if isinstance(value, Mapping):
        return {
            key: MASKED if one and masker.hides(str(key)) else masked(one, masker, depth + 1)
            for key, one in value.items()
        }
    if isinstance(value, list | tuple):
        return [masked(one, masker, depth + 1) for one in value]
    return value


def _headers_of(scope: Mapping[str, Any], masker: Masker) -> dict[str, str]:
    """Return the headers of a scope or an environ, by their names in lower case."""
    if "asgi" in scope or "headers" in scope:
        pairs = [
            (name.decode("latin-1").lower(), value.decode("latin-1"))
            for name, value in list(scope.get("headers", ()))[:HEADERS_MAX]
        ]
    else:
        pairs = [
            (name[5:].replace("_", "-").lower(), value)
            for name, value in scope.items()
            if name.startswith("HTTP_") and isinstance(value, str)
        ][:HEADERS_MAX]
    return {name: _bounded(value, _HEADER_CHARS_MAX, masker) for name, value in pairs}


def _bounded(text: str, chars_max: int, masker: Masker) -> str:
    return text if len(text) <= chars_max else masker.beginning(text, chars_max)
