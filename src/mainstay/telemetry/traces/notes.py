"""What is noted of one request before anybody knows whether its span is kept.

Nothing is made for a request of which there is nothing to note. What is noted lives in the scope
or environ, as long as the request.
"""

from collections.abc import Mapping, MutableMapping
from typing import Any

from mainstay.core.trace import Traced
from mainstay.telemetry.traces.span import ATTRIBUTES_MAX, EVENTS_MAX, UNSET, Moment, Span, Value

NOTES_KEY = "mainstay.notes"

CONTEXT_KEY = "mainstay.opentelemetry"
"""Where OpenTelemetry's context of a request stands in its scope or environ, if somebody asked."""

CALLS_MAX = 32
"""Calls of a request without a sample that failed or were slow; the first ones tell the most."""


class Notes:
    """What was noted of a request. Bounded; what is beyond is counted.

    Attributes:
        attributes: Of its span; the last value of a name counts.
        moments: What happened, in its order.
        calls: Spans of calls that left, for a request without a sample.
        name: In place of the usual one, or None.
        status: As OTLP has it, where the user has set one.
        message: Of that status.
        lost: How much did not fit.
    """

    __slots__ = ("attributes", "calls", "lost", "message", "moments", "name", "status")

    def __init__(self) -> None:
        self.attributes: dict[str, Value] = {}
        self.moments: list[Moment] = []
        self.calls: list[Span] = []
        self.name: str | None = None
        self.status = UNSET
        self.message = ""
        self.lost = 0

    def attribute(self, name: str, value: Value) -> None:
        """Note an attribute."""
        if len(self.attributes) >= ATTRIBUTES_MAX and name not in self.attributes:
            self.lost += 1
            return
        self.attributes[name] = value

    def moment(self, name: str, at_s: float, attributes: Mapping[str, Value]) -> None:
        """Note that something happened."""
        if len(self.moments) >= EVENTS_MAX:
            self.lost += 1
            return
        self.moments.append(Moment(name, at_s, attributes))

    def call(self, span: Span) -> None:
        """Note a call that left."""
        if len(self.calls) >= CALLS_MAX:
            self.lost += 1
            return
        self.calls.append(span)


def notes_in(scope: Mapping[str, Any]) -> Notes | None:
    """Return what was noted of the request with this scope or environ. Any: both hold anything."""
    return scope.get(NOTES_KEY)


def notes_for(traced: Traced) -> Notes | None:
    """Return where to note something that happens here, made where it is missing.

    Args:
        traced: What is current: a request, or something within it that knows its own notes.

    Returns:
        None where it belongs to no request and to no span that is kept.
    """
    scope = getattr(traced, "scope", None)
    if scope is None:
        return getattr(traced, "notes", None)
    return notes_of(scope)


def notes_of(scope: MutableMapping[str, Any]) -> Notes:
    """Return where to note something of the request with this scope or environ, made if missing.

    Any: both hold anything.
    """
    notes: Notes | None = scope.get(NOTES_KEY)
    # Of two threads that ask at once, both get the first one's.
    return scope.setdefault(NOTES_KEY, Notes()) if notes is None else notes
