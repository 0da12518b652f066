"""Rows of calls that leave: clients, policies, and the endpoints they are balanced over."""

from mainstay.telemetry.metrics.snapshot import Across
from mainstay.telemetry.metrics.table.row import counter_row, gauge_row, seconds_row

DATABASE_SECONDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0)
"""Source: OpenTelemetry's semantic conventions, db.client.operation.duration."""

DEPENDENCY = ("dependency",)

_CALLS, _BALANCE = "Calls that leave", "Balancing"

ROWS = (
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
        "mainstay_circuit_mode_changes",
        "Changes of what a circuit does about its state, by the mode that it went to.",
        "dependency",
        "mode",
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
)
