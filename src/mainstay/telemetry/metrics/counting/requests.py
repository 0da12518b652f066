"""What requests that arrive make of metrics: one observation for each that has ended."""

from collections.abc import Callable, Iterable

from mainstay.core.trace import SAMPLED, Trace
from mainstay.service.inbound.exchange import TRACE_KEY, Exchange
from mainstay.telemetry.methods import METHODS, OTHER_METHOD
from mainstay.telemetry.metrics.cells import Exemplar, HistogramCell
from mainstay.telemetry.metrics.registry import Reading, Registry, Source
from mainstay.telemetry.metrics.table import family, histogram
from mainstay.telemetry.route import UNMATCHED, matched_route

_SCHEMES = frozenset({"http", "https"})
_CELLS_MAX = 4096
_FAILED_FROM = 500

_Key = tuple[str, str | None, str | None, int, str | None]


class RequestMetrics:
    """Counts requests by method, scheme, route, status and error. An ``Observer``.

    Args:
        registry: Where they are counted.
    """

    __slots__ = ("_cells", "_requests", "_websockets")

    def __init__(self, registry: Registry) -> None:
        self._requests = histogram(registry, "http_server_request_duration")
        self._websockets = histogram(registry, "mainstay_websocket_duration")
        # Found by what the exchange has, without making texts of it. Only what is a series of its
        # own is in it, so that strange methods can't make it grow.
        self._cells: dict[_Key, HistogramCell] = {}

    def ended(self, exchange: Exchange, ended_s: float) -> None:
        """Count a request. Its trace is an exemplar where somebody made it and it is sampled."""
        trace: Trace | None = exchange.scope.get(TRACE_KEY)
        trace_id = None
        if trace is not None and trace.flags & SAMPLED:
            trace_id = trace.trace_id
        self.count(exchange, ended_s, trace_id)

    def count(self, exchange: Exchange, ended_s: float, trace_id: str | None) -> None:
        """Count a request.

        Args:
            exchange: What has ended.
            ended_s: Monotonic.
            trace_id: Of a trace that is kept, to be found by its latency; None: there is none.
        """
        scope, status = exchange.scope, exchange.status
        error = exchange.error
        if error is None and (status >= _FAILED_FROM or not status):
            error = _error_of(exchange)
        key = (
            exchange.method,
            scope.get("scheme") or scope.get("wsgi.url_scheme"),
            matched_route(exchange),
            status,
            error,
        )
        cell = self._cells.get(key)
        if cell is None:
            cell = self._find(exchange, key)
        took_s = ended_s - exchange.started_s
        cell.observe(took_s)
        if trace_id is not None:
            cell.exemplify(Exemplar(took_s, trace_id, ended_s))

    def cell(
        self, method: str, scheme: str | None, route: str | None, status: int
    ) -> HistogramCell | None:
        """Return where requests without an error are counted that are all alike.

        None: none was counted yet, or it goes where all go that are beyond the bound.
        """
        return self._cells.get((method, scheme, route, status, None))

    def _find(self, exchange: Exchange, key: _Key) -> HistogramCell:
        method, scheme, route, status, error = key
        if exchange.kind == "websocket":
            # Not kept: there are few of them. One that ended by itself has no status either.
            refusal = exchange.refusal
            failed = exchange.error or (refusal.kind if refusal is not None else "")
            return self._websockets.labels(route or UNMATCHED, failed)
        cell = self._requests.labels(
            method_label(method),
            scheme_label(scheme),
            route or UNMATCHED,
            str(status) if status else "",
            error or "",
        )
        folded = self._requests.is_other(cell)
        if method in METHODS and not folded and len(self._cells) < _CELLS_MAX:
            self._cells[key] = cell
        return cell


def active_requests(flights: Callable[[], Iterable[object]]) -> Source:
    """Return what tells the requests that are being answered.

    Args:
        flights: Returns the exchanges there are; as a copy, since they come and go meanwhile.
    """
    active = family("http_server_active_requests")

    def source() -> Iterable[Reading]:
        counts: dict[tuple[str, str], int] = {}
        for flight in flights():
            if isinstance(flight, Exchange) and flight.kind == "http":
                scope = flight.scope
                scheme = scope.get("scheme") or scope.get("wsgi.url_scheme")
                key = method_label(flight.method), scheme_label(scheme)
                counts[key] = counts.get(key, 0) + 1
        return [(active, labels, (count,)) for labels, count in counts.items()]

    return source


def method_label(method: str) -> str:
    """Return a method that is known, or what stands for all others."""
    return method if method in METHODS else OTHER_METHOD


def scheme_label(scheme: str | None) -> str:
    """Return ``http`` or ``https``; empty for what is neither."""
    return scheme if scheme in _SCHEMES and scheme is not None else ""


def _error_of(exchange: Exchange) -> str:
    """Return why a request failed that ended without an error: a problem's kind, or its status."""
    if exchange.refusal is not None:
        return exchange.refusal.kind
    return str(exchange.status) if exchange.status else "client_left"
