"""Every metric that Mainstay itself makes: names, labels and sentences, in one table.

What counts takes its metrics from here, and ``docs/reference/telemetry.md`` is made of it, so that
neither can have what the other hasn't. Names of HTTP are those of OpenTelemetry's semantic
conventions as Prometheus writes them; for policies there is no convention, and theirs begin with
``mainstay_``.
"""

from mainstay.telemetry.metrics.metric import Counter, Gauge, Histogram
from mainstay.telemetry.metrics.names import Kind
from mainstay.telemetry.metrics.registry import Registry
from mainstay.telemetry.metrics.row import Row, counter_row, gauge_row, seconds_row
from mainstay.telemetry.metrics.snapshot import Across, Family

WEBSOCKET_SECONDS = (0.1, 1.0, 10.0, 60.0, 300.0, 1800.0, 7200.0, 28800.0)
"""A websocket may live for a working day."""

DATABASE_SECONDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0)
"""Source: OpenTelemetry's semantic conventions, db.client.operation.duration."""

DEPENDENCY = ("dependency",)


_REQUESTS, _CALLS, _BALANCE = "Requests that arrive", "Calls that leave", "Balancing"
_ADMISSION, _HEALTH, _STORES = "Admission", "Health and the way out", "Guards and their stores"
_PROCESS, _OWN = "The process", "Telemetry itself"

ROWS = (
    seconds_row(
        _REQUESTS,
        "http_server_request_duration",
        "How long requests took, from their arrival until the whole answer was handed over.",
        "http_request_method",
        "url_scheme",
        "http_route",
        "http_response_status_code",
        "error_type",
    ),
    gauge_row(
        _REQUESTS,
        "http_server_active_requests",
        "Requests that are being answered.",
        "http_request_method",
        "url_scheme",
    ),
    counter_row(
        _REQUESTS,
        "mainstay_requests_refused",
        "Requests that were turned away, or whose answer was replaced, by the kind of problem.",
        "problem",
        "http_response_status_code",
    ),
    seconds_row(
        _REQUESTS,
        "mainstay_websocket_duration",
        "How long websockets lived.",
        "http_route",
        "error_type",
        bounds=WEBSOCKET_SECONDS,
    ),
    gauge_row(_REQUESTS, "mainstay_websockets_open", "Websockets that are open."),
    seconds_row(
        _REQUESTS,
        "mainstay_background_duration",
        "How long background work took, from when it was handed over.",
        "work",
        "error_type",
    ),
    seconds_row(
        _CALLS,
        "http_client_request_duration",
        "How long requests to HTTP dependencies took, each attempt by itself.",
        "dependency",
        "http_request_method",
        "server_address",
        "server_port",
        "http_response_status_code",
        "error_type",
    ),
    seconds_row(
        _CALLS,
        "db_client_operation_duration",
        "How long operations of databases and Valkey took, each attempt by itself.",
        "dependency",
        "db_system_name",
        "db_operation_name",
        "server_address",
        "server_port",
        "error_type",
        bounds=DATABASE_SECONDS,
    ),
    seconds_row(
        _CALLS,
        "rpc_client_call_duration",
        "How long calls over gRPC took, each attempt by itself.",
        "dependency",
        "rpc_system_name",
        "rpc_method",
        "server_address",
        "server_port",
        "rpc_response_status_code",
        "error_type",
    ),
    seconds_row(
        _CALLS,
        "mainstay_attempt_duration",
        "How long attempts took: outcome is success, failure, timeout, cancelled, or ignored.",
        "dependency",
        "outcome",
    ),
    counter_row(
        _CALLS,
        "mainstay_retries",
        "Attempts after the first, by how they ended.",
        "dependency",
        "outcome",
    ),
    seconds_row(
        _CALLS, "mainstay_retry_pause", "How long calls waited before another attempt.", *DEPENDENCY
    ),
    counter_row(
        _CALLS,
        "mainstay_gave_up",
        "Failures worth another attempt that got none, and why: attempts, deadline, budget, ...",
        "dependency",
        "reason",
    ),
    counter_row(
        _CALLS,
        "mainstay_budget_denied",
        "Further attempts that were not made because the budget was spent; policy is retry or "
        "hedge.",
        "dependency",
        "policy",
    ),
    gauge_row(
        _CALLS, "mainstay_budget_left", "Further attempts that could be made now.", *DEPENDENCY
    ),
    counter_row(
        _CALLS,
        "mainstay_calls_rejected",
        "Calls that did not leave, by what rejected them; outcome shadow: it left nevertheless.",
        "dependency",
        "policy",
        "outcome",
    ),
    gauge_row(
        _CALLS,
        "mainstay_circuit_state",
        "Processes whose circuit is in a state: closed, open or half_open.",
        "dependency",
        "state",
    ),
    gauge_row(
        _CALLS,
        "mainstay_circuit_mode",
        "Processes whose circuit is in a mode: enforce, shadow, disabled or forced_open.",
        "dependency",
        "mode",
    ),
    counter_row(
        _CALLS,
        "mainstay_circuit_changes",
        "Changes of a circuit, by the state that it went to; to open is a trip.",
        "dependency",
        "state",
    ),
    counter_row(
        _CALLS,
        "mainstay_circuit_probes",
        "Probes that were let through a circuit that is not closed.",
        *DEPENDENCY,
    ),
    counter_row(
        _CALLS,
        "mainstay_timeouts",
        "Attempts that were cut off; policy is attempt, deadline, or caller, whose time was up.",
        "dependency",
        "policy",
    ),
    gauge_row(
        _CALLS,
        "mainstay_attempt_timeout",
        "How long an attempt may take now, which `auto` adapts.",
        *DEPENDENCY,
        unit="seconds",
        across=Across.MAX,
    ),
    gauge_row(_CALLS, "mainstay_bulkhead_in_flight", "Calls in the bulkhead.", *DEPENDENCY),
    gauge_row(_CALLS, "mainstay_bulkhead_waiting", "Calls before the bulkhead.", *DEPENDENCY),
    counter_row(
        _CALLS,
        "mainstay_hedges",
        "Second attempts beside slow first ones: outcome is started or won.",
        "dependency",
        "outcome",
    ),
    counter_row(
        _CALLS,
        "mainstay_answers_degraded",
        "Answers that stood in for the real one; source is value, function or last_good.",
        "dependency",
        "source",
    ),
    counter_row(
        _CALLS,
        "mainstay_reconnects",
        "Calls sent again over a new connection, because an idle one had been closed.",
        *DEPENDENCY,
    ),
    counter_row(
        _BALANCE,
        "mainstay_endpoint_calls",
        "Calls for which an endpoint was chosen.",
        "dependency",
        "endpoint",
    ),
    gauge_row(
        _BALANCE,
        "mainstay_endpoint_in_flight",
        "Calls on their way to an endpoint.",
        "dependency",
        "endpoint",
    ),
    gauge_row(
        _BALANCE,
        "mainstay_endpoint_ejected",
        "Processes for which an endpoint is left out, because it failed too often.",
        "dependency",
        "endpoint",
    ),
    counter_row(
        _BALANCE,
        "mainstay_endpoint_ejections",
        "How often an endpoint was left out; reason is streak or share.",
        "dependency",
        "endpoint",
        "reason",
    ),
    counter_row(
        _BALANCE, "mainstay_name_lookups_failed", "Names that could not be looked up.", "host"
    ),
    gauge_row(_ADMISSION, "mainstay_admission_limit", "Requests that may be worked on at once."),
    gauge_row(_ADMISSION, "mainstay_admission_in_flight", "Requests that are worked on."),
    gauge_row(_ADMISSION, "mainstay_admission_waiting", "Requests that wait to be worked on."),
    gauge_row(
        _ADMISSION,
        "mainstay_admission_latency",
        "Mean of the last window, from admission until the answer began.",
        unit="seconds",
        across=Across.MAX,
    ),
    gauge_row(
        _ADMISSION,
        "mainstay_admission_baseline",
        "What that is with little in flight.",
        unit="seconds",
        across=Across.MAX,
    ),
    gauge_row(
        _ADMISSION,
        "mainstay_admission_loop_lag",
        "How late the event loop was, at worst, in the last window.",
        unit="seconds",
        across=Across.MAX,
    ),
    counter_row(
        _ADMISSION,
        "mainstay_admission_refused",
        "Requests turned away by admission, by priority: 0 is critical, 3 is low.",
        "priority",
    ),
    counter_row(
        _ADMISSION, "mainstay_overloads", "Times in which somebody had to wait at every moment."
    ),
    gauge_row(_ADMISSION, "mainstay_overloaded", "Processes that are overloaded."),
    gauge_row(
        _HEALTH,
        "mainstay_check_failing",
        "Whether a check of health counts as failed.",
        "check",
        "critical",
        across=Across.MAX,
    ),
    gauge_row(
        _HEALTH,
        "mainstay_check_duration",
        "How long a check last took.",
        "check",
        unit="seconds",
        across=Across.MAX,
    ),
    gauge_row(_HEALTH, "mainstay_draining", "Processes that are on their way out."),
    counter_row(_HEALTH, "mainstay_drain_cut", "Requests that the bound of a drain cut off."),
    counter_row(_HEALTH, "mainstay_closers_failed", "Things that could not be closed in order."),
    counter_row(
        _STORES,
        "mainstay_rate_limited",
        "Requests turned away by a rate limit.",
        "limit",
        "by",
    ),
    counter_row(
        _STORES,
        "mainstay_idempotency",
        "What became of idempotency keys: replayed, not_kept, abandoned or lease_lost.",
        "outcome",
        "reason",
    ),
    counter_row(
        _STORES,
        "mainstay_sessions",
        "What became of sessions: changes_lost, unavailable or revoked.",
        "outcome",
        "reason",
    ),
    gauge_row(
        _STORES,
        "mainstay_limit_store_away",
        "Processes that limit by themselves, because the store of the limits is away.",
    ),
    gauge_row(
        _STORES, "mainstay_store_away", "Processes for which a store does not answer.", "store"
    ),
    counter_row(
        _PROCESS, "process_cpu", "CPU time that was used, of user and system.", unit="seconds"
    ),
    gauge_row(_PROCESS, "process_resident_memory", "Memory that is resident.", unit="bytes"),
    gauge_row(_PROCESS, "process_open_fds", "Files and sockets that are open."),
    gauge_row(
        _PROCESS,
        "process_start_time",
        "When the first of the processes began, since 1970.",
        unit="seconds",
        across=Across.MIN,
    ),
    Row(
        name="target",
        kind=Kind.INFO,
        group=_PROCESS,
        labels=(
            "service_name",
            "service_version",
            "service_instance_id",
            "deployment_environment_name",
        ),
        doc="Which service this is: the attributes of its resource.",
    ),
    counter_row(
        _OWN,
        "mainstay_telemetry_folded",
        "How often the labels of a metric were one combination too many, and went to (other).",
        "metric",
    ),
    counter_row(
        _OWN,
        "mainstay_telemetry_unread",
        "How often a function failed that tells figures.",
        "metric",
    ),
    counter_row(
        _OWN,
        "mainstay_telemetry_dropped",
        "What telemetry lost: signal is lines, spans or reports.",
        "signal",
        "reason",
    ),
    counter_row(
        _OWN,
        "mainstay_telemetry_untold",
        "How often a process could not tell its figures to the others of its replica.",
    ),
)

_BY_NAME = {row.name: row for row in ROWS}


def counter(registry: Registry, name: str) -> Counter:
    """Return the counter of a row."""
    row = row_of(name, Kind.COUNTER)
    return registry.counter(row.name, row.doc, labels=row.labels, unit=row.unit)


def gauge(registry: Registry, name: str) -> Gauge:
    """Return the gauge of a row."""
    row = row_of(name, Kind.GAUGE)
    return registry.gauge(
        row.name, row.doc, labels=row.labels, unit=row.unit, across=row.across.value
    )


def histogram(registry: Registry, name: str) -> Histogram:
    """Return the histogram of a row."""
    row = row_of(name, Kind.HISTOGRAM)
    return registry.histogram(
        row.name, row.doc, labels=row.labels, unit=row.unit, bounds=row.bounds
    )


def family(name: str) -> Family:
    """Return the family of a row, for figures that are read from elsewhere."""
    return _BY_NAME[name].family


def row_of(name: str, kind: Kind) -> Row:
    """Return a row of the table; what isn't there, or is something else, is a mistake of ours."""
    row = _BY_NAME[name]
    assert row.kind is kind, f"{name} is a {row.kind.value}"
    return row
