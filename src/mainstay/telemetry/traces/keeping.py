"""Whether the span of a request is kept, when it has ended. Pure.

Who decided at the beginning is heeded; what failed or was slow is kept whatever was decided.
"""

from mainstay.service.inbound.exchange import Exchange

KEPT = "mainstay.kept"
"""The attribute that says why a span is there that was not sampled: ``error`` or ``slow``."""

SERVER_ERROR = 500
CANCELLED = "CancelledError"


def late_reason(exchange: Exchange, ended_s: float, slow_s: float) -> str | None:
    """Return why a request that was not sampled is kept: ``error``, ``slow``, or None: it isn't.

    A client that left is no error. Slow is what took long until its answer began: a stream, and a
    websocket, take as long as they like.

    Args:
        exchange: Which has ended.
        ended_s: When, monotonic.
        slow_s: What takes longer is slow.
    """
    if is_error(exchange):
        return "error"
    if exchange.kind == "websocket":
        return None
    return "slow" if (exchange.begun_s or ended_s) - exchange.started_s > slow_s else None


def is_error(exchange: Exchange) -> bool:
    """Return whether the service failed: a status of 500 and above, or an error let through."""
    error = exchange.error
    return exchange.status >= SERVER_ERROR or (error is not None and error != CANCELLED)
