"""What the events of calls that leave make of metrics."""

from collections.abc import Callable
from typing import Any

from mainstay.core.events import Event
from mainstay.service.outbound.adapters.http_clients.events import Reconnected
from mainstay.service.outbound.balance.events import EndpointEjected, NameUnresolved
from mainstay.service.outbound.events import (
    AnswerDegraded,
    Attempted,
    BreakerModeChanged,
    BudgetSpent,
    CircuitChanged,
    GaveUp,
    HedgeStarted,
    HedgeWon,
    Probed,
    Rejected,
    Retried,
    TimedOut,
)
from mainstay.telemetry.metrics.registry import Registry
from mainstay.telemetry.metrics.table import counter, histogram

Handler = Callable[[Any], None]
"""Takes events of one class. Any: each has its own."""


class CallMetrics:
    """Counts what policies and balancers decide.

    Args:
        registry: Where it is counted.
    """

    def __init__(self, registry: Registry) -> None:
        self._attempts = histogram(registry, "mainstay_attempt_duration")
        self._retries = counter(registry, "mainstay_retries")
        self._pauses = histogram(registry, "mainstay_retry_pause")
        self._gave_up = counter(registry, "mainstay_gave_up")
        self._denied = counter(registry, "mainstay_budget_denied")
        self._rejected = counter(registry, "mainstay_calls_rejected")
        self._changes = counter(registry, "mainstay_circuit_changes")
        self._mode_changes = counter(registry, "mainstay_circuit_mode_changes")
        self._probes = counter(registry, "mainstay_circuit_probes")
        self._timeouts = counter(registry, "mainstay_timeouts")
        self._hedges = counter(registry, "mainstay_hedges")
        self._degraded = counter(registry, "mainstay_answers_degraded")
        self._reconnects = counter(registry, "mainstay_reconnects")
        self._ejections = counter(registry, "mainstay_endpoint_ejections")
        self._unresolved = counter(registry, "mainstay_name_lookups_failed")

    def handlers(self) -> dict[type[Event], Handler]:
        """Return what counts each class of event."""
        return {
            Attempted: self._on_attempt,
            Retried: self._on_retry,
            GaveUp: self._on_giving_up,
            BudgetSpent: self._on_budget,
            Rejected: self._on_rejection,
            CircuitChanged: self._on_change,
            BreakerModeChanged: self._on_mode,
            Probed: self._on_probe,
            TimedOut: self._on_timeout,
            HedgeStarted: self._on_hedge,
            HedgeWon: self._on_hedge_won,
            AnswerDegraded: self._on_stand_in,
            Reconnected: self._on_reconnect,
            EndpointEjected: self._on_ejection,
            NameUnresolved: self._on_unresolved,
        }

    def _on_attempt(self, event: Attempted) -> None:
        self._attempts.labels(event.dependency, event.outcome).observe(event.took_s)
        if event.attempt > 1:
            self._retries.labels(event.dependency, event.outcome).inc()

    def _on_retry(self, event: Retried) -> None:
        self._pauses.labels(event.dependency).observe(event.pause_s)

    def _on_giving_up(self, event: GaveUp) -> None:
        self._gave_up.labels(event.dependency, event.reason).inc()

    def _on_budget(self, event: BudgetSpent) -> None:
        self._denied.labels(event.dependency, event.by).inc()

    def _on_rejection(self, event: Rejected) -> None:
        outcome = "shadow" if event.shadow else "rejected"
        self._rejected.labels(event.dependency, event.by, outcome).inc()

    def _on_change(self, event: CircuitChanged) -> None:
        self._changes.labels(event.dependency, event.state.value).inc()

    def _on_mode(self, event: BreakerModeChanged) -> None:
        self._mode_changes.labels(event.dependency, event.mode.value).inc()

    def _on_probe(self, event: Probed) -> None:
        self._probes.labels(event.dependency).inc()

    def _on_timeout(self, event: TimedOut) -> None:
        self._timeouts.labels(event.dependency, event.by).inc()

    def _on_hedge(self, event: HedgeStarted) -> None:
        self._hedges.labels(event.dependency, "started").inc()

    def _on_hedge_won(self, event: HedgeWon) -> None:
        self._hedges.labels(event.dependency, "won").inc()

    def _on_stand_in(self, event: AnswerDegraded) -> None:
        self._degraded.labels(event.dependency, event.source).inc()

    def _on_reconnect(self, event: Reconnected) -> None:
        self._reconnects.labels(event.dependency).inc()

    def _on_ejection(self, event: EndpointEjected) -> None:
        self._ejections.labels(event.dependency, event.endpoint, event.reason).inc()

    def _on_unresolved(self, event: NameUnresolved) -> None:
        self._unresolved.labels(event.host).inc()
