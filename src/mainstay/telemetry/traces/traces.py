"""``Traces``: the spans of one service, made from its exchanges and events."""

from collections.abc import Callable

from mainstay.core.clock import Clock
from mainstay.core.trace import SAMPLED
from mainstay.service.inbound.exchange import Exchange
from mainstay.telemetry.traces.keeping import late_reason
from mainstay.telemetry.traces.notes import CONTEXT_KEY, notes_for, notes_in
from mainstay.telemetry.traces.raised import EXCEPTION, raised_attributes
from mainstay.telemetry.traces.server import Beginning, server_span
from mainstay.telemetry.traces.span import Span

Route = Callable[[Exchange], str | None]
"""Returns the template that a framework matched, or None."""


class Traces:
    """Makes spans and hands them on. An ``Observer`` of a service.

    Args:
        put: Takes a span; never waits, never raises (``Exporter.put``).
        clock: Where wall time comes from.
        slow_s: A request that takes longer is kept.
        route: See there.
        beginning: See there.
    """

    __slots__ = ("_beginning", "_clock", "_put", "_route", "_slow_s")

    def __init__(
        self,
        *,
        put: Callable[[Span], None],
        clock: Clock,
        slow_s: float,
        route: Route,
        beginning: Beginning,
    ) -> None:
        self._put = put
        self._clock = clock
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

    def went_well(self, exchange: Exchange, ended_s: float, *, sampled: int) -> None:
        """Do what ``ended`` does, for a request over HTTP that did not fail.

        Args:
            exchange: The request.
            ended_s: Monotonic.
            sampled: Whether its trace is.
        """
        scope = exchange.scope
        if CONTEXT_KEY in scope:
            del scope[CONTEXT_KEY]
        if sampled:
            self._keep(exchange, ended_s, None)
        elif (exchange.begun_s or ended_s) - exchange.started_s > self._slow_s:
            self._keep(exchange, ended_s, "slow")

    def _keep(self, exchange: Exchange, ended_s: float, kept: str | None) -> None:
        """Make its span; ``kept`` says why, where it was not sampled."""
        notes = notes_in(exchange.scope)
        self._put(
            server_span(
                exchange,
                ended_s=ended_s,
                wall_s=self._clock.wall_s(),
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
            notes.moment(EXCEPTION, self._clock.wall_s(), raised_attributes(error))
