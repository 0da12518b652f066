"""The span of a request, from its exchange. Pure.

Source: OpenTelemetry's semantic conventions for HTTP spans 1.x (stable).
"""

from collections.abc import Callable
from typing import Any

from mainstay.service.inbound.exchange import Exchange
from mainstay.telemetry.methods import METHODS, OTHER_METHOD
from mainstay.telemetry.traces.keeping import KEPT, SERVER_ERROR, is_error
from mainstay.telemetry.traces.notes import Notes
from mainstay.telemetry.traces.span import ERROR, SERVER, UNSET, Scope, Span, Value

OWN = Scope("mainstay")

Beginning = Callable[[str, int], str]
"""Returns so many characters of a longer text, without its secrets: ``Masker.beginning``."""

TEXT_CHARS_MAX = 1024
"""Characters of a path or an agent's name that are kept. What is longer is masked before it is cut:
of half a secret nobody could tell any more that it is one."""


def server_span(
    exchange: Exchange,
    *,
    ended_s: float,
    wall_s: float,
    route: str | None,
    notes: Notes | None,
    kept: str | None,
    beginning: Beginning,
) -> Span:
    """Return the span of a request.

    Args:
        exchange: Which has ended.
        ended_s: When, monotonic.
        wall_s: The same moment as wall time.
        route: The template that the framework matched; None: it matched nothing.
        notes: What was noted of it, or None.
        kept: Why it is kept without a sample, or None: it was sampled.
        beginning: See there.
    """
    trace = exchange.trace
    attributes = _attributes(exchange, route, beginning)
    if kept is not None:
        attributes[KEPT] = kept
    failed = is_error(exchange)
    name, status, message = None, ERROR if failed else UNSET, ""
    if notes is not None:
        attributes.update(notes.attributes)
        if notes.lost:
            attributes["mainstay.lost"] = notes.lost
        name, message = notes.name, notes.message
        status = notes.status or status
    if name is None:
        name = name_of(_method(exchange), route)
    return Span(
        trace.trace_id,
        trace.span_id,
        trace.parent_id,
        True,  # noqa: FBT003  As the tuple has it: by name it would cost twice as much.
        trace.flags,
        trace.vendors,
        name,
        SERVER,
        wall_s - (ended_s - exchange.started_s),
        wall_s,
        attributes,
        () if notes is None else notes.moments,
        (),
        status,
        message,
        OWN,
    )


def name_of(method: str, route: str | None) -> str:
    """Return what a request's span is called, of few values."""
    return method if route is None else f"{method} {route}"


def _method(exchange: Exchange) -> str:
    if exchange.kind == "websocket":
        return "WEBSOCKET"
    return exchange.method if exchange.method in METHODS else "HTTP"


def _attributes(exchange: Exchange, route: str | None, beginning: Beginning) -> dict[str, Value]:
    """Return what is known, first what many requests share: ``PlainSpans`` writes it likewise."""
    scope, method = exchange.scope, exchange.method
    attributes: dict[str, Value] = {
        "http.request.method": method,
        "url.scheme": scheme_of(scope),
        "network.protocol.version": version_of(scope),
    }
    if method not in METHODS:
        # A websocket begins with a GET.
        known = exchange.kind == "websocket"
        attributes["http.request.method"] = "GET" if known else OTHER_METHOD
        if not known:
            attributes["http.request.method_original"] = _bounded(method, beginning)
    if exchange.status:
        attributes["http.response.status_code"] = exchange.status
    if route is not None:
        attributes["http.route"] = route
    agent = exchange.get(b"user-agent")
    if agent is not None:
        attributes["user_agent.original"] = _bounded(agent.decode("latin-1"), beginning)
    attributes["mainstay.request_id"] = exchange.request_id
    attributes["url.path"] = _bounded(exchange.path, beginning)
    if exchange.client is not None:
        attributes["client.address"] = exchange.client
    error, refusal = exchange.error, exchange.refusal
    if error is not None:
        attributes["error.type"] = error
    elif exchange.status >= SERVER_ERROR:
        attributes["error.type"] = str(exchange.status)
    if refusal is not None:
        attributes["mainstay.problem"] = refusal.kind
    return attributes


def _bounded(text: str, beginning: Beginning) -> str:
    return text if len(text) <= TEXT_CHARS_MAX else beginning(text, TEXT_CHARS_MAX)


def scheme_of(scope: Any) -> str:
    """Return ``http`` or ``https``. Any: a scope or an environ."""
    said: str = scope.get("scheme") or scope.get("wsgi.url_scheme") or "http"
    return said


def version_of(scope: Any) -> str:
    """Return the version of HTTP. Any: a scope or an environ."""
    said: str = scope.get("http_version") or scope.get("SERVER_PROTOCOL", "HTTP/1.1")[5:]
    return said
