"""``Traces``: the spans of one service, made from its exchanges and events."""

from collections.abc import Callable
from contextlib import suppress

from mainstay.core.clock import Clock
from mainstay.core.trace import SAMPLED
from mainstay.service.inbound.exchange import Exchange
from mainstay.telemetry.traces.keeping import late_reason
from mainstay.telemetry.traces.notes import CONTEXT_KEY, NOTES_KEY, notes_for, notes_in
from mainstay.telemetry.traces.otlp import Masks
from mainstay.telemetry.traces.plain import PlainSpans
from mainstay.telemetry.traces.raised import EXCEPTION, raised_attributes
from mainstay.telemetry.traces.server import Beginning, server_span
from mainstay.telemetry.traces.span import Span

Route = Callable[[Exchange], str | None]
"""Returns the template that a framework matched, or None."""


class Traces:
    """Makes spans and hands them on. An ``Observer`` of a service.

    Args:
        put: Takes a span, as it is or written out; never waits, never raises (``Exporter.put``).
        masks: What hides secrets.
        clock: Where wall time comes from.
        slow_s: A request that takes longer is kept.
        route: See there.
        beginning: See there.
    """

    __slots__ = ("_beginning", "_plain", "_put", "_route", "_slow_s", "_wall_s")

    def __init__(
        self,
        *,
        put: Callable[[Span | bytes], None],
        masks: Masks,
        clock: Clock,
        slow_s: float,
        route: Route,
        beginning: Beginning,
    ) -> None:
        self._put = put
        self._plain = PlainSpans(masks)
        self._wall_s = clock.wall_s
        self._slow_s = slow_s
        self._route = route
        self._beginning = beginning

    def ended(self, exchange: Exchange, ended_s: float) -> None:
        """Make the span of a request that was sampled, or that failed or was slow."""
        # It leads to the exchange, which leads to the scope: a circle for the collector.
        exchange.scope.pop(CONTEXT_KEY, None)
        kept = None
        if not exchange.trace.flags & SAMPLED:
            kept = late_reason(exchange, ended_s, self._slow_s)
            if kept is None:
                return
        self._keep(exchange, ended_s, kept)

    def went_well(
        self,
        exchange: Exchange,
        ended_s: float,
        route: str | None,
        ids: tuple[str, str, str | None, int],
    ) -> None:
        """Do what ``ended`` does, for a request over HTTP that did not fail, and for less.

        Args:
            exchange: See ``PlainSpans.written``; it may have notes.
            ended_s: Monotonic.
            route: The template that the framework matched, or None.
            ids: See ``PlainSpans.written``.
        """
        scope = exchange.scope
        if CONTEXT_KEY in scope:
            del scope[CONTEXT_KEY]
        if not ids[3] & SAMPLED:
            if (exchange.begun_s or ended_s) - exchange.started_s > self._slow_s:
                self._keep(exchange, ended_s, "slow")
            return
        wall_s = self._wall_s()
        start_s = wall_s - (ended_s - exchange.started_s)
        written = None
        # What vendors say of a trace is read and written with care, and rarely there.
        if NOTES_KEY not in scope and exchange.get(b"tracestate") is None:
            # What can't be written so, the exporter finds out too, and counts.
            with suppress(Exception, SystemExit):
                written = self._plain.written(exchange, route, ids, start_s, wall_s)
        if written is None:
            self._keep(exchange, ended_s, None)
        else:
            self._put(written)

    def _keep(self, exchange: Exchange, ended_s: float, kept: str | None) -> None:
        """Make the span of a request; ``kept`` says why, where it was not sampled."""
        notes = notes_in(exchange.scope)
        self._put(
            server_span(
                exchange,
                ended_s=ended_s,
                wall_s=self._wall_s(),
                route=self._route(exchange),
                notes=notes,
                kept=kept,
                beginning=self._beginning,
            )
        )
        if kept is not None and notes is not None:
            for span in notes.calls:
                self._put(span)

    def failed(self, exchange: Exchange | None, error: BaseException, work: str = "") -> None:
        """Note an error that nobody handled on the span of its request: for ``Failures``.

        Args:
            exchange: Of the request, or None outside of one.
            error: What was raised.
            work: Name of the background work that raised it: it has a span of its own.
        """
        if exchange is None or work:
            return
        notes = notes_for(exchange)
        if notes is not None:
            notes.moment(EXCEPTION, self._wall_s(), raised_attributes(error))
