"""Every event of the package is either counted, or known not to be."""

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest
from tests.telemetry.metrics.parsing import parse

import mainstay
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
from mainstay.service.outbound.adapters.http_clients.events import Reconnected
from mainstay.service.outbound.balance.events import EndpointEjected, NameUnresolved
from mainstay.service.outbound.breaker.circuit import Mode, State
from mainstay.service.outbound.events import (
    AnswerDegraded,
    Attempted,
    BreakerModeChanged,
    BudgetSpent,
    CallEnded,
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
from mainstay.telemetry.metrics.counting.calls import CallMetrics
from mainstay.telemetry.metrics.counting.clients import ClientMetrics
from mainstay.telemetry.metrics.counting.guards import GuardMetrics
from mainstay.telemetry.metrics.registry import Registry
from mainstay.telemetry.metrics.service_metrics import ServiceMetrics
from mainstay.telemetry.reports.reports import ReportsDropped
from mainstay.telemetry.traces.exporter import SpansDropped

NOT_COUNTED = {
    "CallEnded": "counted by ClientMetrics, see below",
    "IdempotencyEvent": "only its kinds are told",
    "PolicyEvent": "only its kinds are told",
    "BackgroundFailed": "mainstay_background_duration says so",
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
            ("events", "inbound.inbound", "background", "closers", "drain", "exporter", "reports")
        ):
            importlib.import_module(module.name)
    todo = [Event]
    while todo:
        kind = todo.pop()
        todo += kind.__subclasses__()
        if kind.__module__.startswith(OURS):
            yield kind


def test_each_event_is_counted_or_known_not_to_be() -> None:
    """Whoever adds one counts it in ``calls.py`` or ``guards.py``, or says above why not."""
    counted = handled()
    known = {kind.__name__ for kind in kinds_of_event()}
    assert known - counted - set(NOT_COUNTED) == set()
    assert (counted | set(NOT_COUNTED)) - known == set()


def call(
    system: str,
    operation: str,
    target: str = "",
    *,
    status: str | int | None = None,
    error: str | None = None,
) -> CallEnded:
    return CallEnded(
        at_s=0.0, dependency="payments", system=system, operation=operation, target=target,
        server="pay", port=80, status=status, error=error, span_id=None, took_s=0.2,
    )  # fmt: skip


CALL: dict[str, Any] = {"at_s": 0.0, "dependency": "payments"}
AT: dict[str, Any] = {"at_s": 0.0}


PAY = "dependency=payments server_address=pay server_port=80"
CASES = [
    (call("http", "GET", "/items/7", status=503, error="503"),
     "http_client_request_duration_seconds_count",
     f"{PAY} http_request_method=GET http_response_status_code=503 error_type=503"),
    (call("http", "BREW", "/items/7", error="ConnectFailed"),
     "http_client_request_duration_seconds_count",
     f"{PAY} http_request_method=_OTHER error_type=ConnectFailed"),
    (call("postgresql", "select"),
     "db_client_operation_duration_seconds_count",
     f"{PAY} db_system_name=postgresql db_operation_name=SELECT"),
    (call("grpc", "call", "/shop.Pay/Charge", status="OK"),
     "rpc_client_call_duration_seconds_count",
     f"{PAY} rpc_system_name=grpc rpc_method=shop.Pay/Charge rpc_response_status_code=OK"),
    (Attempted(**CALL, attempt=1, outcome="success", took_s=0.2),
     "mainstay_attempt_duration_seconds_count", "dependency=payments outcome=success"),
    (Attempted(**CALL, attempt=2, outcome="failure", took_s=0.2),
     "mainstay_retries_total", "dependency=payments outcome=failure"),
    (Retried(**CALL, attempt=1, pause_s=0.3, reason="OSError"),
     "mainstay_retry_pause_seconds_count", "dependency=payments"),
    (GaveUp(**CALL, attempts=3, reason="attempts"),
     "mainstay_gave_up_total", "dependency=payments reason=attempts"),
    (BudgetSpent(**CALL, by="retry"),
     "mainstay_budget_denied_total", "dependency=payments policy=retry"),
    (Rejected(**CALL, by="breaker", retry_after_s=1.0),
     "mainstay_calls_rejected_total", "dependency=payments policy=breaker outcome=rejected"),
    (Rejected(**CALL, by="breaker", retry_after_s=None, shadow=True),
     "mainstay_calls_rejected_total", "dependency=payments policy=breaker outcome=shadow"),
    (CircuitChanged(**CALL, was=State.CLOSED, state=State.OPEN),
     "mainstay_circuit_changes_total", "dependency=payments state=open"),
    (BreakerModeChanged(**CALL, was=Mode.ENFORCE, mode=Mode.FORCED_OPEN),
     "mainstay_circuit_mode_changes_total", "dependency=payments mode=forced_open"),
    (Probed(**CALL), "mainstay_circuit_probes_total", "dependency=payments"),
    (TimedOut(**CALL, after_s=1.0, by="attempt"),
     "mainstay_timeouts_total", "dependency=payments policy=attempt"),
    (HedgeStarted(**CALL, after_s=0.1),
     "mainstay_hedges_total", "dependency=payments outcome=started"),
    (HedgeWon(**CALL), "mainstay_hedges_total", "dependency=payments outcome=won"),
    (AnswerDegraded(**CALL, source="value", reason="CircuitOpen", age_s=None),
     "mainstay_answers_degraded_total", "dependency=payments source=value"),
    (Reconnected(**CALL), "mainstay_reconnects_total", "dependency=payments"),
    (EndpointEjected(**CALL, endpoint="a:1", reason="streak", away_s=1.0, nth=1),
     "mainstay_endpoint_ejections_total", "dependency=payments endpoint=a:1 reason=streak"),
    (NameUnresolved(**AT, host="db", failures=1, reason="x", endpoints=0),
     "mainstay_name_lookups_failed_total", "host=db"),
    (RequestRefused(**AT, kind="overloaded", status=503, method="GET", path="/x", trace_id="t"),
     "mainstay_requests_refused_total", "problem=overloaded http_response_status_code=503"),
    (OverloadBegan(**AT, limit=3, waiting=1), "mainstay_overloads_total", ""),
    (LimitExceeded(**AT, service="web", limit="default", by="user", retry_after_s=1.0),
     "mainstay_rate_limited_total", "limit=default by=user"),
    (LimitStoreLost(**AT, service="web"), "mainstay_limit_store_away", ""),
    (AnswerReplayed(**AT, record="r", status=200),
     "mainstay_idempotency_total", "outcome=replayed"),
    (AnswerNotKept(**AT, record="r", reason="size"),
     "mainstay_idempotency_total", "outcome=not_kept reason=size"),
    (AttemptAbandoned(**AT, record="r"), "mainstay_idempotency_total", "outcome=abandoned"),
    (LeaseLost(**AT, record="r"), "mainstay_idempotency_total", "outcome=lease_lost"),
    (SessionChangesLost(**AT), "mainstay_sessions_total", "outcome=changes_lost"),
    (SessionUnavailable(**AT, doing="load"),
     "mainstay_sessions_total", "outcome=unavailable reason=load"),
    (UserRevoked(**AT, group="g"), "mainstay_sessions_total", "outcome=revoked"),
    (BackgroundEnded(**AT, work="mail", error="OSError", took_s=0.2),
     "mainstay_background_duration_seconds_count", "work=mail error_type=OSError"),
    (CloserFailed(**AT, closer="pool", stage="pools", error="OSError"),
     "mainstay_closers_failed_total", ""),
    (DrainEnded(**AT, cut=1), "mainstay_drain_cut_total", ""),
    (SpansDropped(**AT, count=1, reason="queue"),
     "mainstay_telemetry_dropped_total", "signal=spans reason=queue"),
    (ReportsDropped(**AT, count=1, reason="rate"),
     "mainstay_telemetry_dropped_total", "signal=reports reason=rate"),
    (StoreAway(**AT, store="valkey://h", why="x"), "mainstay_store_away", "store=valkey://h"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("event", "name", "labels"), CASES, ids=[type(event).__name__ for event, _, _ in CASES]
)
def test_an_event_is_told_as(event: Event, name: str, labels: str) -> None:
    assert told(event)[name, frozenset(labels.split())] == 1


def test_each_event_that_is_counted_is_tried() -> None:
    tried = {type(event).__name__ for event, _, _ in CASES} | {"StoreBack", "LimitStoreBack"}
    assert handled() | {"CallEnded"} == tried


def test_paths_of_calls_make_no_series() -> None:
    found = told(*[call("http", "GET", f"/items/{number}", status=200) for number in range(99)])
    name = "http_client_request_duration_seconds_count"
    assert [value for (one, _), value in found.items() if one == name] == [99]


def test_calls_beyond_the_bound_are_folded_and_each_is_counted() -> None:
    registry = Registry(series_max=5)
    clients = ClientMetrics(registry)
    for number in range(10):
        for _ in range(2):
            clients(call("postgresql", f"do{number}"))
    found = {family.name: dict(series) for family, series in registry.snapshot().items()}
    assert len(found["db_client_operation_duration_seconds"]) == 6
    ((_, folded),) = found["mainstay_telemetry_folded"].items()
    assert tuple(folded) == (10,)


def test_a_store_that_is_back_is_not_away() -> None:
    found = told(StoreAway(**AT, store="s", why="x"), StoreBack(**AT, store="s"))
    assert found["mainstay_store_away", frozenset({"store=s"})] == 0
    found = told(LimitStoreLost(**AT, service="web"), LimitStoreBack(**AT, service="web"))
    assert found["mainstay_limit_store_away", frozenset()] == 0


def handled() -> set[str]:
    registry = Registry()
    guards = GuardMetrics(registry)
    named = {one.__name__ for one in CallMetrics(registry).handlers() | guards.handlers()}
    return named | set(guards.foreign_handlers())


def told(*events: Event) -> dict[tuple[str, frozenset[str]], float]:
    """Return what is told after some events: name and ``label=value`` to figure."""
    metrics = ServiceMetrics(Declaration(service="web", app="web:app"), Metrics(), environ={})
    for event in events:
        metrics.heard(event)
    return {
        (sample.name, frozenset(f"{name}={value}" for name, value in sample.labels.items())):
        sample.value
        for family in parse(metrics.endpoint.answer().body.decode(), openmetrics=False)
        for sample in family.samples
    }  # fmt: skip
