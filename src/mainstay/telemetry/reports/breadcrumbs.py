"""What the policies did before an error: a short ring for each request, and one for the process.

A request that nothing noteworthy happens to has no ring. Events stay as they are until somebody
reports; most are never looked at.
"""

from collections import deque
from typing import Any

from mainstay.core.events import Event
from mainstay.service.inbound.stopping.background import BackgroundEnded
from mainstay.service.outbound.events import (
    Attempted,
    CallEnded,
    CircuitChanged,
    PolicyEvent,
    Probed,
)
from mainstay.telemetry.failures import exchange_here
from mainstay.telemetry.happening import fields_of, name_of
from mainstay.telemetry.traces.client import is_failed

CRUMBS_KEY = "mainstay.breadcrumbs"

OF_REQUEST_MAX = 30
OF_PROCESS_MAX = 30
"""The last ones: what happened long before an error says little of it."""

_QUIET = frozenset(("success", "ignored"))


class Breadcrumbs:
    """A listener that keeps the last events. Safe from any thread."""

    __slots__ = ("_process",)

    def __init__(self) -> None:
        self._process: deque[Event] = deque(maxlen=OF_PROCESS_MAX)

    def heard(self, event: Event) -> None:
        """Keep an event, unless it says that all is well."""
        kind = type(event)
        if kind is Attempted and event.outcome in _QUIET:  # type: ignore[attr-defined]  # An Attempted has one.
            return
        if kind is CallEnded and not is_failed(event):  # type: ignore[arg-type]  # It is one.
            return
        if kind is BackgroundEnded and event.error is None:  # type: ignore[attr-defined]  # As above.
            return
        if kind is Probed:
            return
        ring = None
        if isinstance(event, PolicyEvent) and kind is not CircuitChanged:
            ring = _ring_here()
        # What changed for all requests is told with each of them.
        (self._process if ring is None else ring).append(event)

    def of(self, scope: Any) -> list[dict[str, Any]]:
        """Return what is known before an error, oldest first, as Sentry's protocol has it.

        Args:
            scope: Of the request, or None outside of one. Any: a scope or an environ.
        """
        own = () if scope is None else tuple(scope.get(CRUMBS_KEY, ()))
        # A copy in C, since other threads go on adding.
        events = sorted((*tuple(self._process), *own), key=lambda event: event.at_s)
        return [crumb_of(event) for event in events]


def crumb_of(event: Event) -> dict[str, Any]:
    """Return an event as a breadcrumb."""
    data = fields_of(event)
    return {
        "type": "default",
        "category": f"mainstay.{name_of(type(event))}",
        "message": str(data.get("dependency", "")),
        "level": "info",
        "timestamp": event.at_s,
        "data": data,
    }


def _ring_here() -> "deque[Event] | None":
    """Return the ring of the request that is answered here, made where it is missing."""
    exchange = exchange_here()
    if exchange is None:
        return None
    scope = exchange.scope
    ring: deque[Event] | None = scope.get(CRUMBS_KEY)
    if ring is None:
        # Of two threads that ask at once, both get the first one's.
        ring = scope.setdefault(CRUMBS_KEY, deque(maxlen=OF_REQUEST_MAX))
    return ring
