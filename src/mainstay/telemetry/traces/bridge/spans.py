"""Spans as OpenTelemetry's API has them: of a request, of user code, and one that is not kept."""

from collections.abc import Callable, Mapping
from functools import cached_property
from types import TracebackType
from typing import Any

from opentelemetry.trace import Span as ApiSpan
from opentelemetry.trace import SpanContext, TraceFlags, TraceState
from opentelemetry.trace.status import Status, StatusCode
from opentelemetry.util.types import AnyValue
from opentelemetry.util.types import Attributes as ApiAttributes

from mainstay.core.clock import Clock
from mainstay.core.trace import Trace
from mainstay.service.inbound.exchange import Exchange
from mainstay.telemetry.traces.notes import Notes, notes_of
from mainstay.telemetry.traces.raised import EXCEPTION, message_of, raised_attributes
from mainstay.telemetry.traces.span import ERROR, LINKS_MAX, OK, Link, Scope, Span
from mainstay.telemetry.traces.values import plain, plain_all, plain_name, plain_s


class OwnSpan(ApiSpan):
    """What all spans of ours have: a trace, whose ``span_id`` is the span's.

    Args:
        trace: Of this span.

    Attributes:
        trace: As given.
        notes: What was noted of it; None: nothing is.
    """

    notes: Notes | None = None

    def __init__(self, trace: Trace) -> None:
        self.trace = trace

    def get_span_context(self) -> SpanContext:
        """Return who it is, for children in other processes."""
        return context_of(self.trace)

    def is_recording(self) -> bool:
        """Return whether anything is noted."""
        return False

    def end(self, end_time: int | None = None) -> None:
        """Do nothing, as all below, which those that are kept do otherwise."""

    def set_attributes(self, attributes: Mapping[str, AnyValue]) -> None:
        """See ``end``."""

    def set_attribute(self, key: str, value: AnyValue) -> None:
        """See ``end``."""

    def add_event(
        self, name: str, attributes: ApiAttributes = None, timestamp: int | None = None
    ) -> None:
        """See ``end``."""

    def add_link(self, context: SpanContext, attributes: ApiAttributes = None) -> None:
        """See ``end``."""

    def update_name(self, name: str) -> None:
        """See ``end``."""

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """See ``end``."""

    def record_exception(
        self,
        exception: BaseException,
        attributes: ApiAttributes = None,
        timestamp: int | None = None,
        escaped: bool = False,  # noqa: FBT001, FBT002  The API's form.
    ) -> None:
        """See ``end``."""


class IdleSpan(OwnSpan):
    """A span of a trace without a sample: nothing of it is kept."""


class RequestSpan(OwnSpan):
    """The span of the request that is being answered; it ends with that, and not before.

    It notes even where there is no sample, since the request may be kept at its end.

    Args:
        trace: The request's.
        notes: Where it is noted.
        clock: Stamps events.
    """

    notes: Notes

    def __init__(self, trace: Trace, notes: Notes, clock: Clock) -> None:
        super().__init__(trace)
        self.notes = notes
        self._clock = clock

    def is_recording(self) -> bool:
        """Return whether anything is noted: always."""
        return True

    def set_attributes(self, attributes: Mapping[str, AnyValue]) -> None:
        """Note attributes; a value that is none of OpenTelemetry's is lost, and counted."""
        for key, value in attributes.items():
            self.set_attribute(key, value)

    def set_attribute(self, key: str, value: AnyValue) -> None:
        """Note an attribute."""
        shown = plain(value)
        if shown is None:
            self.notes.lost += value is not None
        else:
            self.notes.attribute(key if type(key) is str else plain_name(key), shown)

    def add_event(
        self, name: str, attributes: ApiAttributes = None, timestamp: int | None = None
    ) -> None:
        """Note that something happened; ``timestamp`` in nanoseconds since 1970."""
        at_s = None if timestamp is None else plain_s(timestamp)
        at_s = self._clock.wall_s() if at_s is None else at_s
        self.notes.moment(plain_name(name), at_s, plain_all(attributes))

    def update_name(self, name: str) -> None:
        """Give it another name."""
        self.notes.name = plain_name(name)

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """Say how it ended. What was said to be well stays so, as the API has it."""
        code = status.status_code if isinstance(status, Status) else status
        notes = self.notes
        if code is StatusCode.UNSET or notes.status == OK:
            return
        notes.status = OK if code is StatusCode.OK else ERROR
        told = status.description if isinstance(status, Status) else description
        notes.message = (told or "") if code is StatusCode.ERROR else ""

    def record_exception(
        self,
        exception: BaseException,
        attributes: ApiAttributes = None,
        timestamp: int | None = None,
        escaped: bool = False,  # noqa: FBT001, FBT002  The API's form.
    ) -> None:
        """Note an error."""
        del escaped
        self.add_event(
            EXCEPTION, {**raised_attributes(exception), **plain_all(attributes)}, timestamp
        )


class ArrivedSpan(RequestSpan):
    """The span of a request of which nobody has asked for more yet: FastAPI looks and goes on.

    Args:
        exchange: The request; its trace and its notes are made when somebody asks for them.
        clock: Stamps events.
    """

    def __init__(self, exchange: Exchange, clock: Clock) -> None:
        self._exchange = exchange
        self._clock = clock

    @cached_property
    def trace(self) -> Trace:  # type: ignore[override]  # Nobody sets it.
        """The request's."""
        return self._exchange.trace

    @cached_property
    def notes(self) -> Notes:  # type: ignore[override]  # As above.
        """Where it is noted: the request's own."""
        return notes_of(self._exchange.scope)


class LiveSpan(RequestSpan):
    """A span that user code began, in a trace with a sample.

    Args:
        trace: With the span's own id, and its parent's.
        clock: Times it.
        put: Takes the span when it has ended.
        name: What is done.
        kind: By OTLP's number.
        scope: Who made it.
        attributes: To begin with.
        start_time: Nanoseconds since 1970, or None: now.
        remote: Whether its parent is another process's.
        on_error: Whether an error that passes by is recorded, and becomes the status.
    """

    def __init__(
        self,
        trace: Trace,
        clock: Clock,
        put: Callable[[Span], None],
        *,
        name: str,
        kind: int,
        scope: Scope,
        attributes: ApiAttributes,
        start_time: int | None,
        remote: bool,
        on_error: tuple[bool, bool],
    ) -> None:
        super().__init__(trace, Notes(), clock)
        self._put = put
        self._name = name
        self._kind = kind
        self._scope = scope
        self._remote = remote
        self._on_error = on_error
        self._links: list[Link] = []
        self._ended = False
        self._began_s = clock.monotonic_s()
        start_s = None if start_time is None else plain_s(start_time)
        self._start_s = clock.wall_s() if start_s is None else start_s
        self._timed = start_s is None
        if attributes:
            self.set_attributes(attributes)

    def is_recording(self) -> bool:
        """Return whether it goes on."""
        return not self._ended

    def add_link(self, context: SpanContext, attributes: ApiAttributes = None) -> None:
        """Note another span that it has to do with."""
        if context.is_valid and len(self._links) < LINKS_MAX:
            state = context.trace_state.to_header()
            ids = f"{context.trace_id:032x}", f"{context.span_id:016x}"
            shown = plain_all(attributes)
            self._links.append(Link(*ids, state, int(context.trace_flags), shown))
        else:
            self.notes.lost += 1

    def end(self, end_time: int | None = None) -> None:
        """End it and hand it on; only the first call counts."""
        if self._ended:
            return
        self._ended = True
        end_s = None if end_time is None else plain_s(end_time)
        if end_s is None and self._timed:
            end_s = self._start_s + self._clock.monotonic_s() - self._began_s
        elif end_s is None:
            end_s = self._clock.wall_s()
        trace, notes = self.trace, self.notes
        attributes = notes.attributes
        if notes.lost:
            attributes = {**attributes, "mainstay.lost": notes.lost}
        self._put(
            Span(
                trace.trace_id,
                trace.span_id,
                trace.parent_id,
                self._remote,
                trace.flags,
                trace.vendors,
                notes.name or self._name,
                self._kind,
                self._start_s,
                end_s,
                attributes,
                notes.moments,
                self._links,
                notes.status,
                notes.message,
                self._scope,
            )
        )

    def passed(self, error: BaseException) -> None:
        """Note an error that ends what it is about; cancellation is none."""
        if not isinstance(error, Exception) or self._ended:
            return
        recorded, told = self._on_error
        if recorded:
            self.record_exception(error)
        if told:
            self.set_status(StatusCode.ERROR, f"{type(error).__name__}: {message_of(error)}")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it, with the error that passed by."""
        if error is not None:
            self.passed(error)
        self.end()


def context_of(trace: Trace, *, remote: bool = False) -> SpanContext:
    """Return who a span of this trace is, as the API has it."""
    state = trace.tracestate
    return SpanContext(
        int(trace.trace_id, 16),
        int(trace.span_id, 16),
        remote,
        TraceFlags(trace.flags),
        TraceState.from_header([state]) if state else None,
    )


def trace_of(span: ApiSpan, outer: Trace | None) -> Trace | None:
    """Return the trace of a span, whosever it is; None: it is none.

    Args:
        span: The API's.
        outer: Of the request around it, whose id and baggage it goes on with.
    """
    if isinstance(span, OwnSpan):
        return span.trace
    # Any: a foreign span may return anything.
    who: Any = span.get_span_context()
    if not isinstance(who, SpanContext) or not who.is_valid:
        return None
    request_id, baggage = ("", b"") if outer is None else (outer.request_id, outer.baggage)
    return Trace(
        f"{who.trace_id:032x}",
        f"{who.span_id:016x}",
        None,
        int(who.trace_flags) & 0x03,
        request_id,
        who.trace_state.to_header().encode("ascii", "replace"),
        baggage,
    )
