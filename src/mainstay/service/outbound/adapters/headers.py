"""What is sent along with every attempt: the time that is left, and who the request is. Pure."""

from collections.abc import Container

from mainstay.core.trace import Trace

DEADLINE_HEADER = "x-envoy-expected-rq-timeout-ms"
"""The one header in which the remaining time leaves, in whole milliseconds.

Three are read on arrival. This one is sent because a proxy on the way acts on it too: the edge's
internal listeners make it the timeout of the route and pass on what is left.
"""


def headers_out(
    left_s: float | None,
    trace: Trace | None,
    span_id: str | None = None,
    own: Container[str] = (),
) -> dict[str, str]:
    """Return the headers that one attempt adds.

    Args:
        left_s: Seconds left for it; None where nothing bounds it, and then nothing is said.
        trace: That of the request which is being answered, or None.
        span_id: The attempt's own; None: it has none, and the callee's parent is who calls.
        own: Names that the caller has set: whoever set a trace knows better than we do.
    """
    headers: dict[str, str] = {}
    if left_s is not None:
        # Rounded down, so that the callee gives up first; and 0 would mean without a bound.
        headers[DEADLINE_HEADER] = str(max(1, int(left_s * 1000)))
    if trace is None:
        return headers
    if "traceparent" not in own:
        headers["traceparent"] = f"00-{trace.trace_id}-{span_id or trace.span_id}-{trace.flags:02x}"
        if trace.vendors and (vendors := trace.tracestate):
            headers["tracestate"] = vendors
    if trace.baggage and "baggage" not in own and (baggage := trace.baggage_out):
        headers["baggage"] = baggage
    if trace.request_id and "x-request-id" not in own:
        headers["x-request-id"] = trace.request_id
    return headers
