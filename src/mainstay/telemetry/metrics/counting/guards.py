"""What the events of requests that arrive, and of guards and their stores, make of metrics."""

from typing import Protocol

from mainstay.core.events import Event
from mainstay.service.inbound.admission.events import OverloadBegan
from mainstay.service.inbound.idempotency.events import (
    AnswerNotKept,
    AnswerReplayed,
    AttemptAbandoned,
    LeaseLost,
)
from mainstay.service.inbound.inbound import RequestRefused
from mainstay.service.inbound.ratelimit.events import LimitExceeded, LimitStoreBack, LimitStoreLost
from mainstay.service.inbound.sessions.events import (
    SessionChangesLost,
    SessionUnavailable,
    UserRevoked,
)
from mainstay.service.inbound.stopping.background import BackgroundEnded
from mainstay.service.inbound.stopping.closers import CloserFailed
from mainstay.service.inbound.stopping.drain import DrainEnded
from mainstay.telemetry.metrics.counting.calls import Handler
from mainstay.telemetry.metrics.registry import Registry
from mainstay.telemetry.metrics.table import counter, gauge, histogram


class StoreEvent(Protocol):
    """What ``StoreAway`` and ``StoreBack`` of the state plane have in common."""

    @property
    def store(self) -> str:
        """Which one."""
        ...


class DropEvent(Protocol):
    """What ``SpansDropped`` and ``ReportsDropped`` have in common."""

    @property
    def count(self) -> int:
        """How many."""
        ...

    @property
    def reason(self) -> str:
        """In one word."""
        ...


class GuardMetrics:
    """Counts what guards decide.

    Args:
        registry: Where it is counted.
    """

    def __init__(self, registry: Registry) -> None:
        self._refused = counter(registry, "mainstay_requests_refused")
        self._overloads = counter(registry, "mainstay_overloads")
        self._limited = counter(registry, "mainstay_rate_limited")
        self._limits_away = gauge(registry, "mainstay_limit_store_away")
        self._keys = counter(registry, "mainstay_idempotency")
        self._sessions = counter(registry, "mainstay_sessions")
        self._stores_away = gauge(registry, "mainstay_store_away")
        self._background = histogram(registry, "mainstay_background_duration")
        self._closers = counter(registry, "mainstay_closers_failed")
        self._dropped = counter(registry, "mainstay_telemetry_dropped")
        self._cut = counter(registry, "mainstay_drain_cut")

    def handlers(self) -> dict[type[Event], Handler]:
        """Return what counts each class of event."""
        return {
            RequestRefused: self._on_refusal,
            OverloadBegan: self._on_overload,
            LimitExceeded: self._on_limit,
            LimitStoreLost: self._on_limits_lost,
            LimitStoreBack: self._on_limits_back,
            AnswerReplayed: self._on_replay,
            AnswerNotKept: self._on_loss,
            AttemptAbandoned: self._on_abandoned,
            LeaseLost: self._on_lease_lost,
            SessionChangesLost: self._on_changes_lost,
            SessionUnavailable: self._on_no_session,
            UserRevoked: self._on_revoked,
            BackgroundEnded: self._on_background,
            CloserFailed: self._on_closer,
            DrainEnded: self._on_drain,
        }

    def foreign_handlers(self) -> dict[str, Handler]:
        """Return what counts events of the state plane and of other signals, by class names.

        They aren't imported: who has no store, and sends no spans, need not load what does.
        """
        return {
            "StoreAway": self._on_store_away,
            "StoreBack": self._on_store_back,
            "SpansDropped": self._on_spans_dropped,
            "ReportsDropped": self._on_reports_dropped,
        }

    def _on_refusal(self, event: RequestRefused) -> None:
        self._refused.labels(event.kind, str(event.status)).inc()

    def _on_overload(self, event: OverloadBegan) -> None:
        del event
        self._overloads.inc()

    def _on_limit(self, event: LimitExceeded) -> None:
        self._limited.labels(event.limit, event.by).inc()

    def _on_limits_lost(self, event: LimitStoreLost) -> None:
        del event
        self._limits_away.set(1)

    def _on_limits_back(self, event: LimitStoreBack) -> None:
        del event
        self._limits_away.set(0)

    def _on_replay(self, event: AnswerReplayed) -> None:
        del event
        self._keys.labels("replayed", "").inc()

    def _on_loss(self, event: AnswerNotKept) -> None:
        self._keys.labels("not_kept", event.reason).inc()

    def _on_abandoned(self, event: AttemptAbandoned) -> None:
        del event
        self._keys.labels("abandoned", "").inc()

    def _on_lease_lost(self, event: LeaseLost) -> None:
        del event
        self._keys.labels("lease_lost", "").inc()

    def _on_changes_lost(self, event: SessionChangesLost) -> None:
        del event
        self._sessions.labels("changes_lost", "").inc()

    def _on_no_session(self, event: SessionUnavailable) -> None:
        self._sessions.labels("unavailable", event.doing).inc()

    def _on_revoked(self, event: UserRevoked) -> None:
        del event
        self._sessions.labels("revoked", "").inc()

    def _on_background(self, event: BackgroundEnded) -> None:
        self._background.labels(event.work, event.error or "").observe(event.took_s)

    def _on_closer(self, event: CloserFailed) -> None:
        del event
        self._closers.inc()

    def _on_drain(self, event: DrainEnded) -> None:
        self._cut.inc(event.cut)

    def _on_store_away(self, event: StoreEvent) -> None:
        self._stores_away.labels(event.store).set(1)

    def _on_store_back(self, event: StoreEvent) -> None:
        self._stores_away.labels(event.store).set(0)

    def _on_spans_dropped(self, event: DropEvent) -> None:
        self._dropped.labels("spans", event.reason).inc(event.count)

    def _on_reports_dropped(self, event: DropEvent) -> None:
        self._dropped.labels("reports", event.reason).inc(event.count)
