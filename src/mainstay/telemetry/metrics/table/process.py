"""Rows of the process itself, and of what telemetry says about telemetry."""

from mainstay.telemetry.metrics.names import Kind
from mainstay.telemetry.metrics.snapshot import Across
from mainstay.telemetry.metrics.table.row import Row, counter_row, gauge_row

_PROCESS, _OWN = "The process", "Telemetry itself"

ROWS = (
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
