"""``Calls``: a listener that makes spans of calls and of background work, and notes decisions.

In a trace with a sample every call has a span at once. Without one, only those that failed or were
slow are noted with their request, and leave with it if that is kept.
"""

import threading
from collections.abc import Callable
from random import Random

from mainstay.core.events import Event
from mainstay.core.trace import SAMPLED, Trace, current_trace, current_traced, new_span_id
from mainstay.service.inbound.stopping.background import BackgroundEnded
from mainstay.service.outbound.events import Attempted, CallEnded, PolicyEvent, Probed
from mainstay.telemetry.happening import fields_of, name_of
from mainstay.telemetry.traces.client import attempt_span, client_span, is_failed, work_span
from mainstay.telemetry.traces.keeping import CANCELLED
from mainstay.telemetry.traces.notes import notes_for
from mainstay.telemetry.traces.span import Span


class _Told(threading.local):
    """Of which dependency an adapter told last in this thread; its attempt is told next."""

    dependency: str | None = None


class Calls:
    """Hears the events of a service.

    Args:
        put: Takes a span; never waits.
        rng: Makes ids.
        slow_s: A call that takes longer is noted without a sample.
        spans: Whether calls have spans; what policies decide is noted all the same.
    """

    __slots__ = ("_put", "_rng", "_slow_s", "_spans", "_told")

    def __init__(
        self, *, put: Callable[[Span], None], rng: Random, slow_s: float, spans: bool
    ) -> None:
        self._put = put
        self._rng = rng
        self._slow_s = slow_s
        self._spans = spans
        self._told = _Told()

    def heard(self, event: Event) -> None:
        """Make a span of a call, or note what a policy decided; other events are left alone."""
        if isinstance(event, CallEnded):
            self._told.dependency = event.dependency
            self._ended(event)
        elif isinstance(event, Attempted):
            told, self._told.dependency = self._told.dependency, None
            # Of what an adapter told there is a span already, with more in it.
            if told != event.dependency:
                self._ended(event)
        elif isinstance(event, BackgroundEnded):
            self._worked(event)
        elif isinstance(event, PolicyEvent) and not isinstance(event, Probed):
            _note(event)

    def _ended(self, event: CallEnded | Attempted) -> None:
        traced = current_traced()
        trace = None if traced is None else traced.trace
        if traced is None or trace is None or not self._spans:
            return
        if trace.flags & SAMPLED:
            self._put(self._span(event, trace))
        elif is_failed(event) or event.took_s > self._slow_s:
            notes = notes_for(traced)
            if notes is not None:
                notes.call(self._span(event, trace))

    def _worked(self, event: BackgroundEnded) -> None:
        trace = current_trace()
        if trace is None:
            return
        sampled = bool(trace.flags & SAMPLED)
        # Its request has ended, and was kept or not: what fails now is kept by itself.
        if sampled or event.error not in {None, CANCELLED}:
            span_id = new_span_id(self._rng)
            self._put(work_span(event, trace, span_id, kept=not sampled))

    def _span(self, event: CallEnded | Attempted, trace: Trace) -> Span:
        if isinstance(event, CallEnded):
            return client_span(event, trace, event.span_id or new_span_id(self._rng))
        return attempt_span(event, trace, new_span_id(self._rng))


def _note(event: PolicyEvent) -> None:
    """Note on the current span what a policy decided."""
    traced = current_traced()
    notes = None if traced is None else notes_for(traced)
    if notes is not None:
        fields = {f"mainstay.{name}": value for name, value in fields_of(event).items()}
        notes.moment(f"mainstay.{name_of(type(event))}", event.at_s, fields)
