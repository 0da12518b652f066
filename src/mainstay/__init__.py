"""Mainstay: a production platform for Python services, from one declaration."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mainstay.core.deadline import detach, remaining_s
    from mainstay.core.trace import Trace, current_trace
    from mainstay.process import Service
    from mainstay.service.inbound.exchange import Exchange
    from mainstay.service.inbound.health.document import Finding, Status
    from mainstay.service.inbound.idempotency.attempt import idempotency
    from mainstay.service.inbound.perimeter.nonce import csp_nonce
    from mainstay.service.inbound.sessions.session import session
    from mainstay.service.outbound.adapters.http_clients.options import Http
    from mainstay.service.outbound.attempt_timeout import AttemptTimeout
    from mainstay.service.outbound.balance.balancer import Balancer
    from mainstay.service.outbound.balance.dns import DnsEndpoints
    from mainstay.service.outbound.balance.ejection import Ejection
    from mainstay.service.outbound.balance.endpoint import Endpoint
    from mainstay.service.outbound.breaker.breaker import Breaker
    from mainstay.service.outbound.bulkhead import Bulkhead
    from mainstay.service.outbound.context import Degraded, deadline, degraded, keyed
    from mainstay.service.outbound.fallback import Fallback
    from mainstay.service.outbound.hedge import Hedge
    from mainstay.service.outbound.policy import Policy
    from mainstay.service.outbound.ratelimit import RateLimit
    from mainstay.service.outbound.retry.retry import Retry
    from mainstay.service.outbound.total import Deadline
    from mainstay.telemetry.logs.current import get_logger
    from mainstay.telemetry.telemetry import Telemetry

__version__ = "0.1.0"

__all__ = [
    "AttemptTimeout",
    "Balancer",
    "Breaker",
    "Bulkhead",
    "Deadline",
    "Degraded",
    "DnsEndpoints",
    "Ejection",
    "Endpoint",
    "Exchange",
    "Fallback",
    "Finding",
    "Hedge",
    "Http",
    "Policy",
    "RateLimit",
    "Retry",
    "Service",
    "Status",
    "Telemetry",
    "Trace",
    "__version__",
    "csp_nonce",
    "current_trace",
    "deadline",
    "degraded",
    "detach",
    "get_logger",
    "idempotency",
    "keyed",
    "remaining_s",
    "session",
]

# Name -> module. Loaded on first use, so that `import mainstay` costs next to nothing.
_HOMES = {
    "AttemptTimeout": "mainstay.service.outbound.attempt_timeout",
    "Balancer": "mainstay.service.outbound.balance.balancer",
    "Breaker": "mainstay.service.outbound.breaker.breaker",
    "Bulkhead": "mainstay.service.outbound.bulkhead",
    "Deadline": "mainstay.service.outbound.total",
    "Degraded": "mainstay.service.outbound.context",
    "DnsEndpoints": "mainstay.service.outbound.balance.dns",
    "Ejection": "mainstay.service.outbound.balance.ejection",
    "Endpoint": "mainstay.service.outbound.balance.endpoint",
    "Exchange": "mainstay.service.inbound.exchange",
    "Fallback": "mainstay.service.outbound.fallback",
    "Finding": "mainstay.service.inbound.health.document",
    "Hedge": "mainstay.service.outbound.hedge",
    "Http": "mainstay.service.outbound.adapters.http_clients.options",
    "Policy": "mainstay.service.outbound.policy",
    "RateLimit": "mainstay.service.outbound.ratelimit",
    "Retry": "mainstay.service.outbound.retry.retry",
    "Service": "mainstay.process",
    "Status": "mainstay.service.inbound.health.document",
    "Telemetry": "mainstay.telemetry.telemetry",
    "Trace": "mainstay.core.trace",
    "csp_nonce": "mainstay.service.inbound.perimeter.nonce",
    "current_trace": "mainstay.core.trace",
    "deadline": "mainstay.service.outbound.context",
    "degraded": "mainstay.service.outbound.context",
    "detach": "mainstay.core.deadline",
    "get_logger": "mainstay.telemetry.logs.current",
    "idempotency": "mainstay.service.inbound.idempotency.attempt",
    "keyed": "mainstay.service.outbound.context",
    "remaining_s": "mainstay.core.deadline",
    "session": "mainstay.service.inbound.sessions.session",
}


def __getattr__(name: str) -> object:
    import importlib  # noqa: PLC0415  Not needed by `mainstay.__version__`.

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    # The next look finds it without this function.
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
