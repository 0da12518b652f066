"""``Ending``: the access line, the metrics and the span of a request, in one pass at its end.

What most requests are (answered by the app, without an error, seen before) is looked up once for
all three. Any other goes through each of them, which knows all cases by itself.
"""

from functools import partial
from typing import NamedTuple

from mainstay.core.trace import SAMPLED, parse_traceparent
from mainstay.service.inbound.exchange import TRACE_KEY, Exchange
from mainstay.telemetry.logs.access import AccessLine
from mainstay.telemetry.logs.levels import INFO
from mainstay.telemetry.methods import METHODS
from mainstay.telemetry.metrics.cells import Exemplar, HistogramCell
from mainstay.telemetry.metrics.counting.requests import RequestMetrics
from mainstay.telemetry.route import UNMATCHED, matched_route
from mainstay.telemetry.traces.keeping import SERVER_ERROR
from mainstay.telemetry.traces.traces import Traces

_SORTS_MAX = 4096
"""Sorts of requests that are remembered."""


class _Sort(NamedTuple):
    """What requests of one method, scheme, route and status share.

    Attributes:
        cell: Where they are counted; None where nobody counts.
        head: Of their lines; None where none are written.
    """

    cell: HistogramCell | None
    head: str | None


class Ending:
    """Tells a request that has ended to whoever is there. An ``Observer``.

    Args:
        traces: Makes its span; None: nobody does.
        requests: Counts it; likewise.
        line: Writes its line; likewise.
    """

    __slots__ = ("_each", "_line", "_requests", "_sorts", "_traces")

    def __init__(
        self,
        *,
        traces: Traces | None,
        requests: RequestMetrics | None,
        line: AccessLine | None,
    ) -> None:
        self._traces = traces
        self._requests = requests
        self._line = line
        # Traces first, since exemplars are of what is kept, and there are none without them.
        counted = None
        if requests is not None:
            counted = partial(requests.count, trace_id=None) if traces is None else requests.ended
        each = (
            None if traces is None else traces.ended,
            counted,
            None if line is None else line.ended,
        )
        self._each = tuple(tell for tell in each if tell is not None)
        self._sorts: dict[tuple[str, str | None, str | None, int], _Sort] = {}

    def ended(self, exchange: Exchange, ended_s: float) -> None:
        """Write its line, count it, and make its span where that is kept."""
        scope, status = exchange.scope, exchange.status
        route = matched_route(exchange)
        scheme = scope.get("scheme") or scope.get("wsgi.url_scheme")
        sort = self._sorts.get((exchange.method, scheme, route, status))
        if sort is None or exchange.error is not None or exchange.refusal is not None:
            for tell in self._each:
                tell(exchange, ended_s)
            self._learn(exchange, scheme, route)
            return
        cell, head = sort
        traces = self._traces
        ids = self._ids(exchange)
        trace_id, span_id, _, flags = ids
        # Only what is kept stands for others.
        sampled = 0 if traces is None else flags & SAMPLED
        if traces is not None:
            traces.went_well(exchange, ended_s, route, ids)
        if cell is not None:
            took_s = ended_s - exchange.started_s
            cell.observe(took_s)
            if sampled:
                cell.exemplify(Exemplar(took_s, trace_id, ended_s))
        if head is not None and self._line is not None and self._line.logs.level <= INFO:
            self._line.put(head, exchange, ended_s, trace_id, span_id)

    def _ids(self, exchange: Exchange) -> tuple[str, str, str | None, int]:
        """Return the ids of its trace, its own and its caller's, and the trace's flags.

        Of a trace that nobody has asked for yet, and that its caller began, no more is made than
        these; whoever asks later gets the same.
        """
        if exchange.scope.get(TRACE_KEY) is None:
            if self._line is None and self._traces is None:
                return "", "", None, 0
            header = exchange.get(b"traceparent")
            parsed = None if header is None else parse_traceparent(header)
            if parsed is not None:
                return parsed[0], exchange.own_span_id(), parsed[1], parsed[2]
        return exchange.trace[:4]

    def _learn(self, exchange: Exchange, scheme: str | None, route: str | None) -> None:
        """Remember what such requests share, if they are plain: nothing failed or was refused."""
        method, status = exchange.method, exchange.status
        if exchange.error is not None or exchange.refusal is not None:
            return
        if method not in METHODS or not 0 < status < SERVER_ERROR:
            return
        requests, line = self._requests, self._line
        cell = None if requests is None else requests.cell(method, scheme, route, status)
        if (cell is None and requests is not None) or len(self._sorts) >= _SORTS_MAX:
            return
        head = None if line is None else line.head(INFO, method, route or UNMATCHED, status)
        self._sorts[method, scheme, route, status] = _Sort(cell, head)
