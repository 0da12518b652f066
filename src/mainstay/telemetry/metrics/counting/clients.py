"""What the calls of clients make of metrics: those that OpenTelemetry has names for."""

from mainstay.service.outbound.events import CallEnded
from mainstay.telemetry.metrics.cells import HistogramCell
from mainstay.telemetry.metrics.counting.requests import method_label
from mainstay.telemetry.metrics.metric import Histogram
from mainstay.telemetry.metrics.registry import Registry
from mainstay.telemetry.metrics.table import histogram

_CELLS_MAX = 4096

_Key = tuple[str, str, str, str, str | None, int | None, str | int | None, str | None]

_Cells = dict[_Key, HistogramCell]


class ClientMetrics:
    """Counts each attempt of a client by what was asked of whom. Takes ``CallEnded``.

    Args:
        registry: Where it is counted.
    """

    __slots__ = ("_cells", "_databases", "_http", "_rpc")

    def __init__(self, registry: Registry) -> None:
        self._http = histogram(registry, "http_client_request_duration")
        self._databases = histogram(registry, "db_client_operation_duration")
        self._rpc = histogram(registry, "rpc_client_call_duration")
        # Found by what the event has, without making texts of it.
        self._cells: _Cells = {}

    def __call__(self, event: CallEnded) -> None:
        """Count a call."""
        # What else a path has would make a cell for each path; of a method of gRPC it is the name.
        target = event.target if event.system == "grpc" else ""
        key = (
            event.dependency,
            event.system,
            event.operation,
            target,
            event.server,
            event.port,
            event.status,
            event.error,
        )
        cell = self._cells.get(key)
        if cell is None:
            metric = self._metric_of(event.system)
            cell = metric.labels(*_labels(event))
            if not metric.is_other(cell) and len(self._cells) < _CELLS_MAX:
                self._cells[key] = cell
        cell.observe(event.took_s)

    def _metric_of(self, system: str) -> Histogram:
        return {"http": self._http, "grpc": self._rpc}.get(system, self._databases)


def _labels(event: CallEnded) -> tuple[str, ...]:
    """Return the labels of a call, as the table has them for its system."""
    server, error = event.server or "", event.error or ""
    port = "" if event.port is None else str(event.port)
    status = "" if event.status is None else str(event.status)
    if event.system == "http":
        return event.dependency, method_label(event.operation), server, port, status, error
    if event.system == "grpc":
        method = event.target.lstrip("/")
        return event.dependency, "grpc", method, server, port, status, error
    return event.dependency, event.system, event.operation.upper(), server, port, error
