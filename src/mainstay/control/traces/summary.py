"""A trace in one line: where it began, how long it took, what failed."""

from dataclasses import dataclass

from mainstay.control.traces.span import KeptSpan

KEPT = "mainstay.kept"
STATUS = "http.response.status_code"

SERVICES_MAX = 16
"""Names of services that are told of one trace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One trace.

    Attributes:
        trace_id: Its id.
        start_ns: Of its first span, since 1970.
        duration_ns: Until its last span ended.
        spans: How many are kept; one that was sent twice counts twice here.
        services: In the order of their first spans' arrival.
        failed: Whether any span failed.
        service: Of the first span.
        name: Of the first span.
        status: The first span's status of HTTP, or None.
        kept: Why it was kept without a sample, or None.
    """

    trace_id: str
    start_ns: int
    duration_ns: int
    spans: int
    services: tuple[str, ...]
    failed: bool
    service: str
    name: str
    status: int | None
    kept: str | None


class Tally:
    """Adds up the spans of one trace, in whatever order they come."""

    __slots__ = ("_end_ns", "_failed", "_first", "_kept", "_services", "_spans")

    def __init__(self) -> None:
        self._first: KeptSpan | None = None
        self._end_ns = 0
        self._spans = 0
        self._services: tuple[str, ...] = ()
        self._failed = False
        self._kept: str | None = None

    def add(self, span: KeptSpan) -> None:
        """Count a span."""
        first = self._first
        if first is None or _key(span) < _key(first):
            self._first = span
        self._end_ns = max(self._end_ns, span.end_ns)
        self._spans += 1
        self._failed = self._failed or span.failed
        if span.service not in self._services and len(self._services) < SERVICES_MAX:
            self._services += (span.service,)
        why = span.attributes.get(KEPT)
        if isinstance(why, str):
            self._kept = why

    def summary(self, trace_id: str) -> Summary:
        """Return what was counted; at least one span was."""
        first = self._first
        assert first is not None, "a trace has a span"
        status = first.attributes.get(STATUS)
        return Summary(
            trace_id=trace_id,
            start_ns=first.start_ns,
            duration_ns=self._end_ns - first.start_ns,
            spans=self._spans,
            services=self._services,
            failed=self._failed,
            service=first.service,
            name=first.name,
            status=status if isinstance(status, int) else None,
            kept=self._kept,
        )


def _key(span: KeptSpan) -> tuple[int, bool, int]:
    # Of two that begin in one moment, the one without a parent, then the longer one, is the outer.
    return span.start_ns, span.parent_id is not None, -span.end_ns
