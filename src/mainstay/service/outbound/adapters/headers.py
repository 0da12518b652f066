"""What is sent along with every attempt: the time that is left, and who the request is. Pure."""

from collections.abc import Container
from random import Random

from mainstay.core.trace import Trace

DEADLINE_HEADER = "x-envoy-expected-rq-timeout-ms"
"""The one header in which the remaining time leaves, in whole milliseconds.

Three are read on arrival. This one is sent because a proxy on the way acts on it too: the edge's
internal listeners make it the timeout of the route and pass on what is left.
"""


def headers_out(
    left_s: float | None, trace: Trace | None, rng: Random, own: Container[str] = ()
) -> dict[str, str]:
    """Return the headers that one attempt adds.

    Args:
        left_s: Seconds left for it; None where nothing bounds it, and then nothing is said.
        trace: That of the request which is being answered, or None.
        rng: Where the attempt's own span id comes from; public, so not for secrets.
        own: Names that the caller has set: whoever set a trace knows better than we do.
    """
    headers: dict[str, str] = {}
    if left_s is not None:
        # Rounded down, so that the callee gives up first; and 0 would mean without a bound.
        headers[DEADLINE_HEADER] = str(max(1, int(left_s * 1000)))
    if trace is None:
        return headers
    if "traceparent" not in own:
        span_id = rng.getrandbits(64) or 1
        headers["traceparent"] = f"00-{trace.trace_id}-{span_id:016x}-{trace.flags:02x}"
        if trace.vendors and (vendors := trace.tracestate):
            headers["tracestate"] = vendors
    if trace.baggage and "baggage" not in own and (baggage := trace.baggage_out):
        headers["baggage"] = baggage
    if trace.request_id and "x-request-id" not in own:
        headers["x-request-id"] = trace.request_id
    return headers
