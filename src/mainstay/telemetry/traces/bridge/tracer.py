"""The tracer provider: spans that user code begins, as children of what is current."""

import inspect
from collections.abc import Callable, Sequence
from functools import wraps
from random import Random
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from opentelemetry import trace as api
from opentelemetry.context.context import Context
from opentelemetry.trace import Link as ApiLink
from opentelemetry.trace import Span as ApiSpan
from opentelemetry.trace import SpanKind
from opentelemetry.util.types import Attributes as ApiAttributes

from mainstay.core.clock import Clock
from mainstay.core.trace import (
    SAMPLED,
    Trace,
    arrive,
    current_traced,
    enter_trace,
    leave_trace,
    new_span_id,
)
from mainstay.telemetry.traces.bridge.current import Within
from mainstay.telemetry.traces.bridge.spans import IdleSpan, LiveSpan, OwnSpan, trace_of
from mainstay.telemetry.traces.span import Scope, Span
from mainstay.telemetry.traces.values import plain_name

if TYPE_CHECKING:
    from contextvars import Token

F = TypeVar("F", bound=Callable[..., Any])

_KINDS = {kind: kind.value + 1 for kind in SpanKind}
"""OTLP counts from 1, since it has one that nobody said."""

_CONTEXT = 1
"""The place of that argument of ``start_span``."""

_trace = tuple.__new__


class TracerProvider(api.TracerProvider):
    """Makes tracers whose spans go the way of all others.

    Args:
        put: Takes a span that has ended; never waits.
        clock: Times spans.
        rng: Makes ids.
        below: Which traces that begin here are sampled; see ``core.trace.sample_below``.
        flush: Sends what waits within so many seconds; returns whether that was all.
    """

    def __init__(
        self,
        *,
        put: Callable[[Span], None],
        clock: Clock,
        rng: Random,
        below: int,
        flush: Callable[[float], bool],
    ) -> None:
        self.put = put
        self.clock = clock
        self.rng = rng
        self.below = below
        self._flush = flush

    def get_tracer(
        self,
        instrumenting_module_name: str,
        instrumenting_library_version: str | None = None,
        schema_url: str | None = None,  # noqa: ARG002  The API's form.
        attributes: ApiAttributes = None,  # noqa: ARG002  As above.
    ) -> "Tracer":
        """Return a tracer for a library or a module."""
        name, version = instrumenting_module_name, instrumenting_library_version
        return Tracer(self, Scope(str(name or ""), str(version or "")))

    def force_flush(self, timeout_millis: int = 5000) -> bool:
        """Send what waits; return whether that was all."""
        return self._flush(timeout_millis / 1000)

    def shutdown(self) -> None:
        """Send what waits. The service closes the rest."""
        self._flush(5.0)


class Tracer(api.Tracer):
    """Begins spans. What has no sample costs next to nothing.

    Args:
        provider: Whose.
        scope: For whom.

    Attributes:
        idle: The last span without a sample: all those of one request are the same.
    """

    def __init__(self, provider: TracerProvider, scope: Scope) -> None:
        self._provider = provider
        self._scope = scope
        self.idle = IdleSpan(arrive(provider.rng, below=0))

    def start_span(  # noqa: PLR0917  The API's form.
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: ApiAttributes = None,
        links: Sequence[ApiLink] | None = None,
        start_time: int | None = None,
        record_exception: bool = True,  # noqa: FBT001, FBT002  The API's form.
        set_status_on_exception: bool = True,  # noqa: FBT001, FBT002  As above.
    ) -> OwnSpan:
        """Return a span that has begun and is not current.

        Args:
            name: What is done.
            context: Whose span is the parent; None: the current one.
            kind: What kind of work it is.
            attributes: To begin with.
            links: Other spans that it has to do with.
            start_time: Nanoseconds since 1970; None: now.
            record_exception: Whether an error that leaves its ``with`` is noted.
            set_status_on_exception: Whether such an error becomes its status.
        """
        provider = self._provider
        parent, remote = _parent_in(context, kind)
        if parent is None:
            trace = arrive(provider.rng, below=provider.below)
        elif not parent.flags & SAMPLED:
            return IdleSpan(parent)
        else:
            trace = _child(parent, provider.rng)
        if not trace.flags & SAMPLED:
            return IdleSpan(trace)
        span = LiveSpan(
            trace,
            provider.clock,
            provider.put,
            name=plain_name(name),
            kind=_KINDS[kind],
            scope=self._scope,
            attributes=attributes,
            start_time=start_time,
            remote=remote,
            on_error=(record_exception, set_status_on_exception),
        )
        for link in links or ():
            span.add_link(link.context, link.attributes)
        return span

    def start_as_current_span(  # type: ignore[override]  # noqa: PLR0917  The API's is a generator, at 1.5 µs.
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: ApiAttributes = None,
        links: Sequence[ApiLink] | None = None,
        start_time: int | None = None,
        record_exception: bool = True,  # noqa: FBT001, FBT002  The API's form.
        set_status_on_exception: bool = True,  # noqa: FBT001, FBT002  As above.
        end_on_exit: bool = True,  # noqa: FBT001, FBT002  As above.
    ) -> "Current":
        """Return what begins a span and makes it current, by ``with`` or as a decorator."""
        on_error = record_exception, set_status_on_exception
        said = (name, context, kind, attributes, links, start_time, *on_error)
        return Current(self, said, end_on_exit)


class Current:
    """``with`` begins a span and makes it current; as a decorator, at each call.

    Args:
        tracer: Who begins it.
        said: The arguments of ``start_span``.
        ends: Whether the span ends with the ``with``.
    """

    __slots__ = ("_ends", "_said", "_span", "_token", "_tracer")

    def __init__(self, tracer: Tracer, said: tuple[Any, ...], ends: bool) -> None:  # noqa: FBT001  Of this module.
        self._tracer = tracer
        self._said = said
        self._ends = ends

    def __enter__(self) -> ApiSpan:
        traced, said = current_traced(), self._said
        parent = None if traced is None else traced.trace
        span: OwnSpan
        if parent is None or parent.flags & SAMPLED or said[_CONTEXT] is not None:
            span = self._tracer.start_span(*said)
        else:
            # What ``start_span`` would return, without its 0.3 µs.
            span = self._tracer.idle
            if span.trace is not parent:
                span = self._tracer.idle = IdleSpan(parent)
        self._span = span
        self._token: Token[Any] = enter_trace(Within(span, traced))
        return span

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        leave_trace(self._token)
        span = self._span
        # By its type itself: the API's classes are abstract, and to ask them is dear.
        if type(span) is LiveSpan:
            if error is not None:
                span.passed(error)
            if self._ends:
                span.end()

    def __call__(self, function: F) -> F:
        """Return the function with a span around each of its calls."""
        if inspect.iscoroutinefunction(function):

            @wraps(function)
            async def awaited(*args: Any, **kwargs: Any) -> Any:
                with self._anew():
                    return await function(*args, **kwargs)

            return awaited  # type: ignore[return-value]  # It takes and returns what it does.

        @wraps(function)
        def called(*args: Any, **kwargs: Any) -> Any:
            with self._anew():
                return function(*args, **kwargs)

        return called  # type: ignore[return-value]  # As above.

    def _anew(self) -> "Current":
        return Current(self._tracer, self._said, self._ends)


def _parent_in(context: Context | None, kind: SpanKind) -> tuple[Trace | None, bool]:
    """Return the trace of the parent, and whether that is another process's span."""
    traced = current_traced()
    current = None if traced is None else traced.trace
    if context is None:
        return current, False
    span = api.get_current_span(context)
    parent = trace_of(span, current)
    if parent is None and kind is SpanKind.SERVER:
        # FastAPI reads the headers again, and finds no caller where there is none: what it serves
        # is the request all the same, and keeps its ids.
        parent = current
    return parent, span.get_span_context().is_remote


def _child(parent: Trace, rng: Random) -> Trace:
    # The class's own way would take three times as long.
    return _trace(
        Trace,
        (
            parent.trace_id,
            new_span_id(rng),
            parent.span_id,
            parent.flags,
            parent.request_id,
            parent.vendors,
            parent.baggage,
        ),
    )
