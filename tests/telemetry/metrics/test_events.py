"""Every event of the package is either counted, or known not to be."""

import importlib
import pkgutil
from collections.abc import Iterator

import pytest

import mainstay
from mainstay.core.events import Event
from mainstay.service.inbound.admission.events import OverloadBegan
from mainstay.service.inbound.idempotency.events import AnswerNotKept, AnswerReplayed, LeaseLost
from mainstay.service.inbound.inbound import RequestRefused
from mainstay.service.inbound.ratelimit.events import LimitExceeded, LimitStoreBack, LimitStoreLost
from mainstay.service.inbound.sessions.events import SessionUnavailable, UserRevoked
from mainstay.service.inbound.stopping.drain import DrainEnded
from mainstay.service.outbound.balance.events import EndpointEjected, NameUnresolved
from mainstay.service.outbound.circuit import State
from mainstay.service.outbound.events import (
    AnswerDegraded,
    Attempted,
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
from mainstay.spec.declaration import Declaration
from mainstay.spec.telemetry import Metrics
from mainstay.state.valkey.events import StoreAway, StoreBack
from mainstay.telemetry.metrics.calls import CallMetrics
from mainstay.telemetry.metrics.guards import GuardMetrics
from mainstay.telemetry.metrics.registry import Registry
from mainstay.telemetry.metrics.service_metrics import ServiceMetrics

NOT_COUNTED = {
    "IdempotencyEvent": "only its kinds are told",
    "PolicyEvent": "only its kinds are told",
    "BreakerModeChanged": "mainstay_circuit_mode is read",
    "DrainBegan": "mainstay_draining is read",
    "EndpointReturned": "mainstay_endpoint_ejected is read",
    "EndpointsChanged": "endpoints are read",
    "LimitChanged": "mainstay_admission_limit is read",
    "OverloadEnded": "mainstay_overloaded is read",
}
"""Of the process of a service. Those of the edge and the engine are told elsewhere."""

OURS = ("mainstay.service.", "mainstay.state.", "mainstay.telemetry.")


def kinds_of_event() -> Iterator[type[Event]]:
    for module in pkgutil.walk_packages(mainstay.__path__, "mainstay."):
        if module.name.startswith(OURS) and module.name.endswith(
            ("events", "inbound.inbound", "background", "closers", "drain")
        ):
            importlib.import_module(module.name)
    todo = [Event]
    while todo:
        kind = todo.pop()
        todo += kind.__subclasses__()
        if kind.__module__.startswith(OURS):
            yield kind


def test_each_event_is_counted_or_known_not_to_be() -> None:
    registry = Registry()
    guards = GuardMetrics(registry)
    counted = {one.__name__ for one in CallMetrics(registry).handlers() | guards.handlers()}
    counted |= set(guards.foreign_handlers())
    known = {kind.__name__ for kind in kinds_of_event()}
    assert known - counted - set(NOT_COUNTED) == set()
    assert (counted | set(NOT_COUNTED)) - known == set()


CALL = {"at_s": 0.0, "dependency": "payments"}
AT = {"at_s": 0.0}


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (Attempted(**CALL, attempt=1, outcome="success", took_s=0.2),
         'mainstay_attempt_duration_seconds_count{dependency="payments",outcome="success"} 1'),
        (Attempted(**CALL, attempt=2, outcome="failure", took_s=0.2),
         'mainstay_retries_total{dependency="payments",outcome="failure"} 1'),
        (Retried(**CALL, attempt=1, pause_s=0.3, reason="OSError"),
         'mainstay_retry_pause_seconds_sum{dependency="payments"} 0.3'),
        (GaveUp(**CALL, attempts=3, reason="attempts"),
         'mainstay_gave_up_total{dependency="payments",reason="attempts"} 1'),
        (BudgetSpent(**CALL, by="retry"),
         'mainstay_budget_denied_total{dependency="payments",policy="retry"} 1'),
        (Rejected(**CALL, by="breaker", retry_after_s=1.0),
         'mainstay_calls_rejected_total{dependency="payments",policy="breaker",outcome="rejected"} 1'),
        (Rejected(**CALL, by="breaker", retry_after_s=None, shadow=True),
         'mainstay_calls_rejected_total{dependency="payments",policy="breaker",outcome="shadow"} 1'),
        (CircuitChanged(**CALL, was=State.CLOSED, state=State.OPEN),
         'mainstay_circuit_changes_total{dependency="payments",state="open"} 1'),
        (Probed(**CALL), 'mainstay_circuit_probes_total{dependency="payments"} 1'),
        (TimedOut(**CALL, after_s=1.0, by="attempt"),
         'mainstay_timeouts_total{dependency="payments",policy="attempt"} 1'),
        (HedgeStarted(**CALL, after_s=0.1),
         'mainstay_hedges_total{dependency="payments",outcome="started"} 1'),
        (HedgeWon(**CALL), 'mainstay_hedges_total{dependency="payments",outcome="won"} 1'),
        (AnswerDegraded(**CALL, source="value", reason="CircuitOpen", age_s=None),
         'mainstay_answers_degraded_total{dependency="payments",source="value"} 1'),
        (EndpointEjected(**CALL, endpoint="a:1", reason="streak", away_s=1.0, nth=1),
         'mainstay_endpoint_ejections_total{dependency="payments",endpoint="a:1",reason="streak"} 1'),
        (NameUnresolved(**AT, host="db", failures=1, reason="x", endpoints=0),
         'mainstay_name_lookups_failed_total{host="db"} 1'),
        (RequestRefused(**AT, kind="overloaded", status=503, method="GET", path="/x", trace_id="t"),
         'mainstay_requests_refused_total{problem="overloaded",http_response_status_code="503"} 1'),
        (OverloadBegan(**AT, limit=3, waiting=1), "mainstay_overloads_total 1"),
        (LimitExceeded(**AT, service="web", limit="default", by="user", retry_after_s=1.0),
         'mainstay_rate_limited_total{limit="default",by="user"} 1'),
        (LimitStoreLost(**AT, service="web"), "mainstay_limit_store_away 1"),
        (AnswerReplayed(**AT, record="r", status=200),
         'mainstay_idempotency_total{outcome="replayed"} 1'),
        (AnswerNotKept(**AT, record="r", reason="size"),
         'mainstay_idempotency_total{outcome="not_kept",reason="size"} 1'),
        (LeaseLost(**AT, record="r"), 'mainstay_idempotency_total{outcome="lease_lost"} 1'),
        (SessionUnavailable(**AT, doing="load"),
         'mainstay_sessions_total{outcome="unavailable",reason="load"} 1'),
        (UserRevoked(**AT, group="g"), 'mainstay_sessions_total{outcome="revoked"} 1'),
        (DrainEnded(**AT, cut=3), "mainstay_drain_cut_total 3"),
        (StoreAway(**AT, store="valkey://h", why="x"), 'mainstay_store_away{store="valkey://h"} 1'),
    ],
    ids=lambda one: type(one).__name__,
)  # fmt: skip
def test_an_event_is_told_as(event: Event, line: str) -> None:
    assert line in lines(event)


def test_a_store_that_is_back_is_not_away() -> None:
    away = StoreAway(**AT, store="s", why="x")
    assert 'mainstay_store_away{store="s"} 0' in lines(away, StoreBack(**AT, store="s"))
    lost = LimitStoreLost(**AT, service="web")
    assert "mainstay_limit_store_away 0" in lines(lost, LimitStoreBack(**AT, service="web"))


def lines(*events: Event) -> list[str]:
    declaration = Declaration(service="web", app="web:app")
    metrics = ServiceMetrics(declaration, Metrics(), environ={})
    for event in events:
        metrics.heard(event)
    answer = metrics.endpoint.answer()
    assert answer.status == 200
    return answer.body.decode().splitlines()
