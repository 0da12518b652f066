"""An OTLP request for traces in protobuf. Pure: bytes in, spans out.

Source: opentelemetry-proto 1.x, ``trace/v1/trace.proto`` and ``common/v1/common.proto``. What we
don't keep (links, scopes, counts of what was dropped) is passed over, as are fields of the future.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from mainstay.control.traces.protobuf import (
    BYTES,
    FIXED64,
    VARINT,
    double,
    fields,
    signed,
    tag,
    text,
)
from mainstay.control.traces.span import (
    ATTRIBUTES_MAX,
    DEPTH_MAX,
    ITEMS_MAX,
    MOMENTS_MAX,
    Attributes,
    KeptMoment,
    Received,
    Sent,
    all_kept,
    bounded_attributes,
    moment,
)

# ExportTraceServiceRequest, ResourceSpans, ScopeSpans, Resource.
_RESOURCE_SPANS = tag(1, BYTES)
_RESOURCE, _SCOPE_SPANS = tag(1, BYTES), tag(2, BYTES)
_SPAN_OF_SCOPE = tag(2, BYTES)
_RESOURCE_ATTRIBUTE = tag(1, BYTES)

# Span.
_TRACE_ID, _SPAN_ID, _PARENT_ID = tag(1, BYTES), tag(2, BYTES), tag(4, BYTES)
_NAME, _KIND = tag(5, BYTES), tag(6, VARINT)
_START, _END = tag(7, FIXED64), tag(8, FIXED64)
_ATTRIBUTE, _EVENT, _STATUS = tag(9, BYTES), tag(11, BYTES), tag(15, BYTES)

# Event, Status, KeyValue.
_EVENT_AT, _EVENT_NAME, _EVENT_ATTRIBUTE = tag(1, FIXED64), tag(2, BYTES), tag(3, BYTES)
_STATUS_MESSAGE, _STATUS_CODE = tag(2, BYTES), tag(3, VARINT)
_KEY, _VALUE = tag(1, BYTES), tag(2, BYTES)

# AnyValue: text, bool, int, double, list, mapping, bytes.
_STRING, _BOOL, _INT, _DOUBLE = tag(1, BYTES), tag(2, VARINT), tag(3, VARINT), tag(4, FIXED64)
_LIST, _MAPPING, _RAW = tag(5, BYTES), tag(6, BYTES), tag(7, BYTES)
_ITEM = tag(1, BYTES)


def received(body: bytes) -> Received:
    """Return the spans of an ``ExportTraceServiceRequest``.

    Raises:
        Unreadable: It is none.
    """
    return all_kept(_spans(body), _span)


def _spans(body: bytes) -> Iterator[tuple[Attributes, bytes]]:
    for key, _, part in fields(body):
        if key == _RESOURCE_SPANS:
            resource = _resource(part)
            for raw in _spans_of(part):
                yield resource, raw


def _resource(message: bytes) -> Attributes:
    """Return the attributes of a resource, wherever in its message it stands."""
    return bounded_attributes(
        _pair(one)
        for key, _, part in fields(message)
        if key == _RESOURCE
        for name, _, one in fields(part)
        if name == _RESOURCE_ATTRIBUTE
    )


def _spans_of(message: bytes) -> Iterator[bytes]:
    for key, _, part in fields(message):
        if key == _SCOPE_SPANS:
            yield from (one for name, _, one in fields(part) if name == _SPAN_OF_SCOPE)


@dataclass(slots=True)
class _Parts:
    """What comes one after the other in the message of a span."""

    ids: dict[int, str] = field(default_factory=dict)
    name: str = ""
    numbers: dict[int, int] = field(default_factory=dict)
    attributes: list[tuple[str, Any]] = field(default_factory=list)  # Any: what JSON has.
    moments: list[KeptMoment] = field(default_factory=list)
    status: tuple[int, str] = (0, "")


def _span(message: bytes) -> Sent:
    parts = _Parts()
    for key, number, value in fields(message):
        if key in {_TRACE_ID, _SPAN_ID, _PARENT_ID}:
            parts.ids[key] = value.hex()
        elif key in {_KIND, _START, _END}:
            parts.numbers[key] = number
        elif key == _NAME:
            parts.name = text(value)
        elif key == _ATTRIBUTE and len(parts.attributes) < ATTRIBUTES_MAX:
            parts.attributes.append(_pair(value))
        elif key == _EVENT and len(parts.moments) < MOMENTS_MAX:
            parts.moments.append(_moment(value))
        elif key == _STATUS:
            parts.status = _status(value)
    code, message_text = parts.status
    return Sent(
        trace_id=parts.ids.get(_TRACE_ID, ""),
        span_id=parts.ids.get(_SPAN_ID, ""),
        parent_id=parts.ids.get(_PARENT_ID, ""),
        name=parts.name,
        kind=parts.numbers.get(_KIND, 0),
        start_ns=parts.numbers.get(_START, 0),
        end_ns=parts.numbers.get(_END, 0),
        attributes=parts.attributes,
        moments=parts.moments,
        status=code,
        message=message_text,
    )


def _moment(message: bytes) -> KeptMoment:
    at_ns, name = 0, ""
    attributes: list[tuple[str, Any]] = []  # Any: what JSON has.
    for key, number, value in fields(message):
        if key == _EVENT_AT:
            at_ns = number
        elif key == _EVENT_NAME:
            name = text(value)
        elif key == _EVENT_ATTRIBUTE and len(attributes) < ATTRIBUTES_MAX:
            attributes.append(_pair(value))
    return moment(name, at_ns, attributes)


def _status(message: bytes) -> tuple[int, str]:
    code, said = 0, ""
    for key, number, value in fields(message):
        if key == _STATUS_CODE:
            code = number
        elif key == _STATUS_MESSAGE:
            said = text(value)
    return code, said


def _pair(message: bytes, depth: int = 0) -> tuple[str, Any]:
    name, value = "", None
    for key, _, part in fields(message):
        if key == _KEY:
            name = text(part)
        elif key == _VALUE:
            value = _any(part, depth)
    return name, value


def _any(message: bytes, depth: int) -> Any:
    """Return an ``AnyValue``; of several values the last one counts. Any: what JSON has."""
    found: Any = None
    for key, number, value in fields(message):
        if key == _STRING:
            found = text(value)
        elif key == _BOOL:
            found = bool(number)
        elif key == _INT:
            found = signed(number)
        elif key == _DOUBLE:
            found = double(number)
        elif key in {_LIST, _MAPPING}:
            found = _many(value, depth, named=key == _MAPPING)
        elif key == _RAW:
            found = value.hex()
    return found


def _many(message: bytes, depth: int, *, named: bool) -> Any:
    """Return an ``ArrayValue`` or a ``KeyValueList``. Any: what JSON has."""
    # Hostile depth must not become the interpreter's: below the bound nothing is looked into.
    every = (value for key, _, value in fields(message) if key == _ITEM)
    inner = islice(every, ITEMS_MAX if depth <= DEPTH_MAX else 0)
    if named:
        return dict(_pair(one, depth + 1) for one in inner)
    return [_any(one, depth + 1) for one in inner]
