"""Spans of calls that leave, from the events of adapters and policies. Pure.

Source: OpenTelemetry's semantic conventions for HTTP and database client spans (stable) and RPC.
"""

from mainstay.core.trace import Trace
from mainstay.service.inbound.stopping.background import BackgroundEnded
from mainstay.service.outbound.events import Attempted, CallEnded
from mainstay.telemetry.methods import METHODS, OTHER_METHOD
from mainstay.telemetry.traces.keeping import CANCELLED, KEPT
from mainstay.telemetry.traces.server import OWN
from mainstay.telemetry.traces.span import CLIENT, ERROR, INTERNAL, UNSET, Span, Value

DEPENDENCY = "mainstay.dependency"

_ERRORS_FROM = 400
"""For a client, what the server calls the client's mistake is an error, too."""

_FAILED = frozenset(("failure", "timeout"))


def client_span(event: CallEnded, trace: Trace, span_id: str) -> Span:
    """Return the span of one attempt of a client.

    Args:
        event: What the adapter told.
        trace: Within which it was made; its span is the parent.
        span_id: What was sent, or a new one.
    """
    system = event.system
    attributes: dict[str, Value] = {DEPENDENCY: event.dependency}
    if system == "http":
        name = _http(event, attributes)
    elif system == "grpc":
        name = _grpc(event, attributes)
    else:
        name = f"{event.operation} {event.dependency}"
        attributes["db.system.name"] = system
        attributes["db.operation.name"] = event.operation
    if event.server is not None:
        attributes["server.address"] = event.server
    if event.port is not None:
        attributes["server.port"] = event.port
    failed = is_failed(event)
    if event.error is not None:
        attributes["error.type"] = event.error
    elif failed:
        attributes["error.type"] = str(event.status)
    return _span(trace, span_id, name, CLIENT, event.at_s, event.took_s, attributes, failed=failed)


def attempt_span(event: Attempted, trace: Trace, span_id: str) -> Span:
    """Return the span of one attempt of a guarded function, of which no adapter tells."""
    attributes: dict[str, Value] = {
        DEPENDENCY: event.dependency,
        "mainstay.attempt": event.attempt,
        "mainstay.outcome": event.outcome,
    }
    failed = event.outcome in _FAILED
    if failed:
        attributes["error.type"] = event.outcome
    name, kind = event.dependency, INTERNAL
    return _span(trace, span_id, name, kind, event.at_s, event.took_s, attributes, failed=failed)


def work_span(event: BackgroundEnded, trace: Trace, span_id: str, *, kept: bool) -> Span:
    """Return the span of work in the background, whose parent is the request that began it.

    Args:
        event: That it ended.
        trace: Of that request.
        span_id: A new one.
        kept: Whether it is kept without a sample, since it failed.
    """
    attributes: dict[str, Value] = {"mainstay.work": event.work}
    failed = event.error is not None and event.error != CANCELLED
    if event.error is not None:
        attributes["error.type"] = event.error
    if kept:
        attributes[KEPT] = "error"
    name, kind = event.work, INTERNAL
    return _span(trace, span_id, name, kind, event.at_s, event.took_s, attributes, failed=failed)


def is_failed(event: CallEnded | Attempted) -> bool:
    """Return whether a call ended otherwise than its caller wished; cancellation is no failure."""
    if isinstance(event, Attempted):
        return event.outcome in _FAILED
    if event.error is not None:
        return event.error != CANCELLED
    status = event.status
    if isinstance(status, int):
        return status >= _ERRORS_FROM
    return status is not None and status != "OK"


def _http(event: CallEnded, attributes: dict[str, Value]) -> str:
    known = event.operation in METHODS
    attributes["http.request.method"] = event.operation if known else OTHER_METHOD
    if event.server is not None:
        port = "" if event.port is None else f":{event.port}"
        # Without scheme and query: the first is not told, and the second may hold secrets.
        attributes["url.full"] = f"//{event.server}{port}{event.target}"
    if event.status is not None:
        attributes["http.response.status_code"] = event.status
    return f"{event.operation if known else 'HTTP'} {event.dependency}"


def _grpc(event: CallEnded, attributes: dict[str, Value]) -> str:
    service, _, method = event.target.strip("/").rpartition("/")
    attributes["rpc.system"] = "grpc"
    attributes["rpc.service"] = service
    attributes["rpc.method"] = method
    if event.status is not None:
        attributes["rpc.response.status_code"] = event.status
    return f"{service}/{method}"


def _span(  # noqa: PLR0917  What differs between them, in the order of a span.
    trace: Trace,
    span_id: str,
    name: str,
    kind: int,
    at_s: float,
    took_s: float,
    attributes: dict[str, Value],
    *,
    failed: bool,
) -> Span:
    return Span(
        trace.trace_id,
        span_id,
        trace.span_id,
        False,  # noqa: FBT003  As the tuple has it: by name it would cost twice as much.
        trace.flags,
        trace.vendors,
        name,
        kind,
        at_s - took_s,
        at_s,
        attributes,
        (),
        (),
        ERROR if failed else UNSET,
        "",
        OWN,
    )
