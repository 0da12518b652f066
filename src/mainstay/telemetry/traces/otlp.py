"""Spans as an OTLP request in protobuf. Pure: values in, bytes out.

Written by hand, since it takes half the time of the generated classes and no library: what is
always the same (tags, names of attributes) is made once.

Source: opentelemetry-proto 1.x, ``trace/v1/trace.proto`` and ``common/v1/common.proto``.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from mainstay.core.trace import tracestate_of
from mainstay.telemetry.traces import wire
from mainstay.telemetry.traces.span import ERROR, Attributes, Link, Moment, Scope, Span

Mask = Callable[[Mapping[str, object]], Mapping[str, object]]
"""Returns attributes as they may leave the process: ``Masker.mapping``."""

MaskText = Callable[[str], str]

TEXT_CHARS_MAX = 4096
"""Of one value; what is longer is cut. A span is no place for documents."""

_NAMES_MAX = 1024
"""Encoded names of attributes that are remembered."""

_HAS_REMOTE, _REMOTE = 0x100, 0x200
"""Bits of ``Span.flags`` beyond those of the trace: whether the next one is known, and it."""

_INT64_MIN, _INT64_MAX = -(1 << 63), (1 << 63) - 1


class Masks(NamedTuple):
    """What hides secrets: of attributes, and of texts without a name."""

    mapping: Mask
    text: MaskText


def request_of(resource: Attributes, spans: Iterable[bytes], masks: Masks) -> bytes:
    """Return an ``ExportTraceServiceRequest``.

    Args:
        resource: Attributes of the process.
        spans: What ``encoded`` returned, in any order: each is in a scope of its own, which is a
            few bytes more than to sort them.
        masks: See there.
    """
    head = wire.block(1, _attributes(1, resource, masks))
    return wire.block(1, head + b"".join(spans))


def encoded(span: Span, masks: Masks) -> bytes:
    """Return a span as a ``ScopeSpans`` within its ``ResourceSpans``."""
    return wire.block(2, _scope(span.scope) + wire.block(2, _span(span, masks)))


@lru_cache(maxsize=256)
def _scope(scope: Scope) -> bytes:
    inner = wire.text(1, scope.name)
    if scope.version:
        inner += wire.text(2, scope.version)
    return wire.block(1, inner)


def _span(span: Span, masks: Masks) -> bytes:
    parts = [
        b"\x0a\x10",  # trace_id
        bytes.fromhex(span.trace_id),
        b"\x12\x08",  # span_id
        bytes.fromhex(span.span_id),
    ]
    if span.vendors and (vendors := tracestate_of(span.vendors)):
        parts.append(wire.text(3, vendors))
    if span.parent_id is not None:
        parts += (b"\x22\x08", bytes.fromhex(span.parent_id))
    start_ns = _nanos(span.start_s)
    parts += (
        wire.text(5, masks.text(span.name[:TEXT_CHARS_MAX])),
        wire.number(6, span.kind),
        wire.fixed64(7, start_ns),
        wire.fixed64(8, max(start_ns, _nanos(span.end_s))),
        _attributes(9, span.attributes, masks),
    )
    parts += [wire.block(11, _moment(one, masks)) for one in span.moments]
    parts += [wire.block(13, _link(one, masks)) for one in span.links]
    if span.status:
        message = masks.text(span.message[:TEXT_CHARS_MAX]) if span.status == ERROR else ""
        told = wire.text(2, message) if message else b""
        parts.append(wire.block(15, told + wire.number(3, span.status)))
    parts.append(wire.fixed32(16, span.flags | _HAS_REMOTE | (_REMOTE if span.remote else 0)))
    return b"".join(parts)


def _moment(moment: Moment, masks: Masks) -> bytes:
    return (
        wire.fixed64(1, _nanos(moment.at_s))
        + wire.text(2, masks.text(moment.name[:TEXT_CHARS_MAX]))
        + _attributes(3, moment.attributes, masks)
    )


def _link(link: Link, masks: Masks) -> bytes:
    out = wire.block(1, bytes.fromhex(link.trace_id)) + wire.block(2, bytes.fromhex(link.span_id))
    if link.tracestate:
        out += wire.text(3, link.tracestate)
    return out + _attributes(4, link.attributes, masks) + wire.fixed32(6, link.flags | _HAS_REMOTE)


_SHORT_CHARS = wire.SHORT - 2
_HEAD_BYTES = 4
_HEADS = tuple(
    wire.tag(2, wire.BYTES) + wire.SMALL[size + 2] + wire.tag(1, wire.BYTES) + wire.SMALL[size]
    for size in range(_SHORT_CHARS)
)
"""What stands between a name and a text of so many bytes: an ``AnyValue`` with a string in it."""


def _attributes(field: int, attributes: Attributes, masks: Masks) -> bytes:
    if not attributes:
        return b""
    tag = wire.tag(field, wire.BYTES)
    parts: list[bytes] = []
    for key, value in masks.mapping(attributes).items():
        if value is None:
            continue
        name = _name(key)
        if type(value) is str and len(value) < _SHORT_CHARS:
            # Nearly all are: without a call for each level of the message.
            data = value.encode("utf-8", "replace")
            size = len(name) + len(data) + _HEAD_BYTES
            if size < wire.SHORT and len(data) < _SHORT_CHARS:
                parts += (tag, wire.SMALL[size], name, _HEADS[len(data)], data)
                continue
        parts.append(wire.block(field, name + wire.block(2, _any(value))))
    return b"".join(parts)


@lru_cache(maxsize=_NAMES_MAX)
def _name(key: str) -> bytes:
    return wire.text(1, key[:TEXT_CHARS_MAX])


def _any(value: object) -> bytes:
    """Return an ``AnyValue``; what is none is told as its ``repr`` would."""
    if type(value) is str:
        return wire.text(1, value if len(value) <= TEXT_CHARS_MAX else value[:TEXT_CHARS_MAX])
    if isinstance(value, bool):
        return wire.number(2, value)
    if isinstance(value, int) and _INT64_MIN <= value <= _INT64_MAX:
        return wire.number(3, value)
    if isinstance(value, float):
        return wire.double(4, value)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return wire.block(5, b"".join([wire.block(1, _any(one)) for one in value]))
    return wire.text(1, str(value)[:TEXT_CHARS_MAX])


def _nanos(at_s: float) -> int:
    # Whole microseconds: a float knows no more of the present.
    return round(at_s * 1e6) * 1000


def rejected_of(answer: bytes) -> int:
    """Return how many spans a collector rejected of those that it was sent with success.

    Raises:
        wire.Truncated: The answer is no ``ExportTraceServiceResponse``.
    """
    partial = wire.fields_of(answer).get(1, b"")
    rejected = wire.fields_of(partial).get(1, 0) if isinstance(partial, bytes) else 0
    return rejected if isinstance(rejected, int) else 0
