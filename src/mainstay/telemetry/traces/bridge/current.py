"""The current span, found through the request: nothing is set for it when a request begins.

Mainstay and OpenTelemetry share one context variable, that of ``core.trace``. Whatever was entered
last counts: a request, a span of user code, or a context that somebody attached. So a span that is
current is the parent of calls that leave, and its id is in the lines that are logged.
"""

from contextvars import Token
from typing import Any

from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context.context import Context, _RuntimeContext
from opentelemetry.trace import (
    INVALID_SPAN,
    NonRecordingSpan,
    get_current_span,
    set_span_in_context,
)

from mainstay.core.clock import Clock
from mainstay.core.trace import Trace, Traced, current_traced, enter_trace, leave_trace
from mainstay.service.inbound.exchange import TRACE_KEY, Exchange
from mainstay.telemetry.traces.bridge.spans import ArrivedSpan, OwnSpan, context_of, trace_of
from mainstay.telemetry.traces.notes import CONTEXT_KEY, Notes, notes_for

_NOBODYS = Context()
[_SPAN_KEY] = set_span_in_context(INVALID_SPAN, _NOBODYS)
"""Where the API keeps a span in a context; to put it there costs a third of asking the API to."""
_BAGGAGE = W3CBaggagePropagator()


class Within:
    """A span of ours that is current.

    Args:
        span: The span.
        outer: What was current before.

    Attributes:
        span: As given.
        outer: As given.
    """

    __slots__ = ("_context", "outer", "span")

    _context: Context

    def __init__(self, span: OwnSpan, outer: Traced | None) -> None:
        self.span = span
        self.outer = outer

    @property
    def root(self) -> Traced | None:
        """The request that it belongs to, or None."""
        return root_of(self.outer)

    @property
    def trace(self) -> Trace:
        """The trace, as the span goes on with it."""
        return self.span.trace

    @property
    def notes(self) -> Notes | None:
        """Where something is noted that happens here."""
        return self.span.notes or notes_of_root(self.root)

    def context(self, clock: Clock) -> Context:
        """Return OpenTelemetry's context, made when somebody asks."""
        try:
            return self._context
        except AttributeError:
            # Not in the constructor: most spans end before somebody does.
            self._context = set_span_in_context(self.span, context_within(self.outer, clock))
            return self._context


class Attached:
    """A context that somebody attached by OpenTelemetry's API.

    Args:
        context: As attached.
        outer: What was current before.

    Attributes:
        root: The request around it, or None.
    """

    __slots__ = ("_context", "_trace", "root")

    def __init__(self, context: Context, outer: Traced | None) -> None:
        self._context = context
        self.root: Traced | None = root_of(outer)
        around = None if self.root is None else self.root.trace
        self._trace = trace_of(get_current_span(context), around) or around

    @property
    def trace(self) -> Trace | None:
        """The trace of its span, else that of the request."""
        return self._trace

    @property
    def notes(self) -> Notes | None:
        """Where something is noted that happens here."""
        span = get_current_span(self._context)
        return (span.notes if isinstance(span, OwnSpan) else None) or notes_of_root(self.root)

    def context(self, clock: Clock) -> Context:  # noqa: ARG002  As that of a span.
        """Return the context."""
        return self._context


class RequestContext(_RuntimeContext):
    """Where OpenTelemetry's API keeps what is current: where Mainstay does.

    Args:
        clock: Stamps what is noted of requests.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def attach(self, context: Context) -> Token[Any]:
        """Make a context current; Any: the token is of our own variable."""
        return enter_trace(Attached(context, current_traced()))

    def get_current(self) -> Context:
        """Return the current context; within a request it has the request's span."""
        traced = current_traced()
        if isinstance(traced, Exchange):
            # FastAPI asks several times in each request.
            found: Context | None = traced.scope.get(CONTEXT_KEY)
            return _context_of_exchange(traced, self._clock) if found is None else found
        return context_within(traced, self._clock)

    def detach(self, token: Token[Any]) -> None:
        """Make current what was so when the token was made."""
        leave_trace(token)


def root_of(traced: Traced | None) -> Traced | None:
    """Return the request, or the bare trace, that something current belongs to."""
    return traced.root if isinstance(traced, (Within, Attached)) else traced


def notes_of_root(root: Traced | None) -> Notes | None:
    """Return where to note something of a request, or None where there is none."""
    return None if root is None else notes_for(root)


def context_within(traced: Traced | None, clock: Clock) -> Context:
    """Return OpenTelemetry's context of what is current."""
    if traced is None:
        return _NOBODYS
    if isinstance(traced, (Within, Attached)):
        return traced.context(clock)
    return _context_of_request(traced, clock)


def _context_of_request(traced: Traced, clock: Clock) -> Context:
    if isinstance(traced, Exchange):
        found: Context | None = traced.scope.get(CONTEXT_KEY)
        return _context_of_exchange(traced, clock) if found is None else found
    trace = traced.trace
    if trace is None:
        return _NOBODYS
    return set_span_in_context(NonRecordingSpan(context_of(trace)), _NOBODYS)


def _context_of_exchange(exchange: Exchange, clock: Clock) -> Context:
    scope = exchange.scope
    made = Context({_SPAN_KEY: ArrivedSpan(exchange, clock)})
    # No trace is made for baggage that isn't there.
    named = TRACE_KEY in scope or exchange.get(b"baggage")
    if named and (baggage := exchange.trace.baggage_out):
        made = _BAGGAGE.extract({"baggage": baggage}, made)
    # Of two threads that ask at once, both get the first one's.
    kept: Context = scope.setdefault(CONTEXT_KEY, made)
    return kept
