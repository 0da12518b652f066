"""A span as it is kept: a plain value, bounded whatever was sent."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, TypeVar

TEXT_CHARS_MAX: Final = 4096
"""Of one value: the end of a stack fits."""

NAME_CHARS_MAX: Final = 256
"""Of the name of a span, a service, an attribute."""

ATTRIBUTES_MAX: Final = 64
MOMENTS_MAX: Final = 32
"""Of one span; half of what OpenTelemetry's SDKs allow, of which people read a tenth."""

SPANS_MAX: Final = 8192
"""Of one request: sixteen batches of an SDK; those beyond are rejected."""

ITEMS_MAX: Final = 32
DEPTH_MAX: Final = 3
"""Of one list or mapping within a value; what is deeper or beyond is left out."""

KINDS: Final = ("unspecified", "internal", "server", "client", "producer", "consumer")
STATUSES: Final = ("unset", "ok", "error")
"""By their numbers in OTLP."""

INSTANT_NS_MAX: Final = (1 << 63) - 1

Attributes = Mapping[str, Any]
"""Any: what JSON has."""

_Raw = TypeVar("_Raw")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptMoment:
    """Something that happened during a span."""

    name: str
    at_ns: int
    attributes: Attributes


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptSpan:
    """One span of one process.

    Attributes:
        trace_id: 32 hex digits, small letters.
        span_id: 16 of them.
        parent_id: Likewise; None for the first of its trace.
        service: ``service.name`` of the process.
        instance: ``service.instance.id``, or an empty text.
        name: What was done.
        kind: One of KINDS.
        start_ns: Nanoseconds since 1970.
        end_ns: Not before the start.
        status: One of STATUSES.
        message: Of a status that is an error.
        attributes: At most ATTRIBUTES_MAX.
        moments: At most MOMENTS_MAX.
    """

    trace_id: str
    span_id: str
    parent_id: str | None
    service: str
    instance: str
    name: str
    kind: str
    start_ns: int
    end_ns: int
    status: str
    message: str
    attributes: Attributes
    moments: tuple[KeptMoment, ...]

    @property
    def failed(self) -> bool:
        """Whether it ended in an error."""
        return self.status == "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What one request brought: spans, and how many were none that can be kept."""

    spans: tuple[KeptSpan, ...]
    rejected: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A span as it was sent: nothing of it is trusted."""

    trace_id: str
    span_id: str
    parent_id: str = ""
    name: str = ""
    kind: int = 0
    start_ns: int = 0
    end_ns: int = 0
    attributes: Iterable[tuple[str, Any]] = ()
    moments: Iterable[KeptMoment] = ()
    status: int = 0
    message: str = ""


def all_kept(spans: Iterable[tuple[Attributes, _Raw]], read: Callable[[_Raw], Sent]) -> Received:
    """Return the spans of a request as they are kept.

    Args:
        spans: Each with the attributes of the process that made it.
        read: Returns what a span says; not called for those beyond SPANS_MAX.
    """
    found: list[KeptSpan] = []
    rejected = 0
    for resource, raw in spans:
        span = kept(read(raw), resource) if len(found) < SPANS_MAX else None
        if span is None:
            rejected += 1
        else:
            found.append(span)
    return Received(spans=tuple(found), rejected=rejected)


def kept(sent: Sent, resource: Attributes) -> KeptSpan | None:
    """Return a span as it is kept, or None for one without the ids that every span has.

    Args:
        sent: What came.
        resource: Attributes of the process that made it.
    """
    trace_id, span_id = sent.trace_id.lower(), sent.span_id.lower()
    if not (_is_id(trace_id, 32) and _is_id(span_id, 16)):
        return None
    parent_id = sent.parent_id.lower()
    start_ns = _instant(sent.start_ns)
    return KeptSpan(
        trace_id=trace_id,
        span_id=span_id,
        parent_id=parent_id if _is_id(parent_id, 16) else None,
        service=str(resource.get("service.name", "") or "unknown")[:NAME_CHARS_MAX],
        instance=str(resource.get("service.instance.id", ""))[:NAME_CHARS_MAX],
        name=sent.name[:NAME_CHARS_MAX],
        kind=KINDS[sent.kind] if 0 <= sent.kind < len(KINDS) else KINDS[0],
        start_ns=start_ns,
        end_ns=max(start_ns, _instant(sent.end_ns)),
        status=STATUSES[sent.status] if 0 <= sent.status < len(STATUSES) else STATUSES[0],
        message=sent.message[:TEXT_CHARS_MAX],
        attributes=bounded_attributes(sent.attributes),
        moments=tuple(islice(sent.moments, MOMENTS_MAX)),
    )


def moment(name: str, at_ns: int, attributes: Iterable[tuple[str, Any]]) -> KeptMoment:
    """Return a moment within the bounds. Any: what JSON has."""
    return KeptMoment(
        name=name[:NAME_CHARS_MAX],
        at_ns=_instant(at_ns),
        attributes=bounded_attributes(attributes),
    )


def bounded_attributes(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return attributes within the bounds; of a name that comes again, the last value counts."""
    found: dict[str, Any] = {}
    for name, value in islice(pairs, ATTRIBUTES_MAX):
        found[name[:NAME_CHARS_MAX]] = bounded(value)
    return found


def bounded(value: Any, depth: int = 0) -> Any:
    """Return a value of JSON within the bounds. Any: what JSON has."""
    if isinstance(value, str):
        return value[:TEXT_CHARS_MAX]
    if isinstance(value, float) and not math.isfinite(value):
        # JSON has no such numbers.
        return str(value)
    if isinstance(value, list | dict) and depth >= DEPTH_MAX:
        return "..."
    if isinstance(value, list):
        return [bounded(one, depth + 1) for one in value[:ITEMS_MAX]]
    if isinstance(value, dict):
        return {
            str(name)[:NAME_CHARS_MAX]: bounded(one, depth + 1)
            for name, one in islice(value.items(), ITEMS_MAX)
        }
    return value


def _is_id(text: str, digits: int) -> bool:
    return len(text) == digits and not set(text) - set("0123456789abcdef") and bool(text.strip("0"))


def _instant(at_ns: int) -> int:
    return min(max(at_ns, 0), INSTANT_NS_MAX)
