"""One span that has ended: what was done for how long, within which trace. A plain value."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

Value = str | bool | int | float | Sequence[str] | Sequence[bool] | Sequence[int] | Sequence[float]
"""What an attribute may be, as OpenTelemetry has it."""

Attributes = Mapping[str, Value]

INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER = 1, 2, 3, 4, 5
"""Kinds, by their numbers in OTLP."""

UNSET, OK, ERROR = 0, 1, 2
"""How it ended, by the numbers in OTLP."""

ATTRIBUTES_MAX = 128
EVENTS_MAX = 128
LINKS_MAX = 128
"""Of one span: OpenTelemetry's own limits."""


class Scope(NamedTuple):
    """Who made a span: a library and its version."""

    name: str
    version: str = ""


class Moment(NamedTuple):
    """Something that happened during a span.

    Attributes:
        name: What.
        at_s: Wall time.
        attributes: More of it.
    """

    name: str
    at_s: float
    attributes: Attributes


class Link(NamedTuple):
    """Another span that this one has to do with.

    Attributes:
        trace_id: 32 hex digits.
        span_id: 16 hex digits.
        tracestate: As W3C has it; empty: none.
        flags: W3C's trace flags; bit 0: sampled.
        attributes: What the link means.
    """

    trace_id: str
    span_id: str
    tracestate: str
    flags: int
    attributes: Attributes


class Span(NamedTuple):
    """One span. A tuple, since it costs a third of what a frozen dataclass does.

    Attributes:
        trace_id: 32 hex digits.
        span_id: 16 hex digits.
        parent_id: 16 hex digits; None for the first of its trace.
        remote: Whether the parent is another process's.
        flags: Of the trace.
        vendors: ``tracestate`` as it arrived.
        name: What was done, of few values: never a path with an id in it.
        kind: SERVER, CLIENT, INTERNAL, ...
        start_s: Wall time.
        end_s: Wall time, not before the start.
        attributes: At most ATTRIBUTES_MAX.
        moments: At most EVENTS_MAX.
        links: At most LINKS_MAX.
        status: UNSET, OK or ERROR.
        message: Of a status that is ERROR.
        scope: Who made it.
    """

    trace_id: str
    span_id: str
    parent_id: str | None
    remote: bool
    flags: int
    vendors: bytes
    name: str
    kind: int
    start_s: float
    end_s: float
    attributes: Attributes
    moments: Sequence[Moment]
    links: Sequence[Link]
    status: int
    message: str
    scope: Scope
