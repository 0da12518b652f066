"""Spans as an OTLP request in protobuf. Pure: values in, bytes out.

Written by hand, since it takes half the time of the generated classes and no library: what is
always the same (tags, names of attributes) is made once.

Source: opentelemetry-proto 1.x, ``trace/v1/trace.proto`` and ``common/v1/common.proto``.
"""

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache

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

READY_MAX = 1024

_FEW = frozenset(
    {
        "error.type", "http.request.method", "http.response.status_code", "http.route",
        "network.protocol.version", "url.scheme", "user_agent.original",
    }
)  # fmt: skip
"""Attributes that come again and again. To mask an agent's name costs as much as all the rest."""

_REQUEST_ID = "mainstay.request_id"

_HAS_REMOTE, _REMOTE = 0x100, 0x200
"""Bits of ``Span.flags`` beyond those of the trace: whether the next one is known, and it."""

_INT64_MIN, _INT64_MAX = -(1 << 63), (1 << 63) - 1


class Masks:
    """What hides secrets, and what is known of their work.

    Args:
        mapping: Of attributes.
        text: Of texts without a name.

    Attributes:
        mapping: As given.
        text: As given.
        ready: Masked and encoded attributes of few values, and names of spans (without a key);
            when there are READY_MAX all are forgotten, since strangers choose some of them.
    """

    __slots__ = ("mapping", "ready", "text")

    def __init__(self, mapping: Mask, text: MaskText) -> None:
        self.mapping = mapping
        self.text = text
        self.ready: dict[tuple[str, str | int], bytes] = {}

    def few(self, key: str, value: str | int) -> bytes:
        """Return an attribute of a span that has few values."""
        made = self.ready.get((key, value))
        return self._keep(key, value, _attributes(9, {key: value}, self)) if made is None else made

    def name(self, name: str) -> bytes:
        """Return the name of a span."""
        made = self.ready.get(("", name))
        if made is None:
            made = self._keep("", name, wire.text(5, self.text(name[:TEXT_CHARS_MAX])))
        return made

    def _keep(self, key: str, value: str | int, made: bytes) -> bytes:
        if len(self.ready) >= READY_MAX:
            self.ready.clear()
        self.ready[key, value] = made
        return made


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
    return wire.block(2, scope(span.scope) + wire.block(2, _span(span, masks)))


@lru_cache(maxsize=256)
def scope(made_by: Scope) -> bytes:
    """Return who made spans, as the beginning of a ``ScopeSpans``."""
    inner = wire.text(1, made_by.name)
    if made_by.version:
        inner += wire.text(2, made_by.version)
    return wire.block(1, inner)


def _span(span: Span, masks: Masks) -> bytes:
    # trace_id and span_id, with their tags and lengths.
    parts = [bytes.fromhex(f"0a10{span.trace_id}1208{span.span_id}")]
    if span.vendors and (vendors := tracestate_of(span.vendors)):
        parts.append(wire.text(3, masks.text(vendors)))
    if span.parent_id is not None:
        parts.append(bytes.fromhex(f"2208{span.parent_id}"))
    start_ns = nanos(span.start_s)
    parts += (
        masks.name(span.name),
        wire.number(6, span.kind),
        times(start_ns, max(start_ns, nanos(span.end_s))),
        _own_attributes(span, masks),
    )
    if span.moments:
        parts += [wire.block(11, _moment(one, masks)) for one in span.moments]
    if span.links:
        parts += [wire.block(13, _link(one, masks)) for one in span.links]
    if span.status:
        message = masks.text(span.message[:TEXT_CHARS_MAX]) if span.status == ERROR else ""
        told = wire.text(2, message) if message else b""
        parts.append(wire.block(15, told + wire.number(3, span.status)))
    parts.append(flags(span.flags, remote=span.remote))
    return b"".join(parts)


_START, _END = wire.tag(7, wire.FIXED64)[0], wire.tag(8, wire.FIXED64)[0]
_pack_times = struct.Struct("<BQBQ").pack


def times(start_ns: int, end_ns: int) -> bytes:
    """Return when a span began and ended, in nanoseconds since 1970."""
    return _pack_times(_START, start_ns, _END, end_ns)


def flags(of_trace: int, *, remote: bool) -> bytes:
    """Return the flags of a span.

    Args:
        of_trace: W3C's, of eight bits.
        remote: Whether its parent is another process's.
    """
    return wire.fixed32(16, of_trace | _HAS_REMOTE | (_REMOTE if remote else 0))


def _own_attributes(span: Span, masks: Masks) -> bytes:
    """Return the attributes of a span: those of few values first, which are ready mostly."""
    parts: list[bytes] = []
    rest: dict[str, object] = {}
    few = masks.few
    for key, value in span.attributes.items():
        # No bool, which would be found as the number that it equals.
        if key in _FEW and (type(value) is str or type(value) is int):
            parts.append(few(key, value))
        elif value == span.span_id and type(value) is str and key == _REQUEST_ID:
            # Of our own making, so that there is nothing to hide.
            parts.append(said(_name(key), value))
        else:
            rest[key] = value
    parts.append(_attributes(9, rest, masks))
    return b"".join(parts)


def _moment(moment: Moment, masks: Masks) -> bytes:
    return (
        wire.fixed64(1, nanos(moment.at_s))
        + wire.text(2, masks.text(moment.name[:TEXT_CHARS_MAX]))
        + _attributes(3, moment.attributes, masks)
    )


def _link(link: Link, masks: Masks) -> bytes:
    out = wire.block(1, bytes.fromhex(link.trace_id)) + wire.block(2, bytes.fromhex(link.span_id))
    if link.tracestate:
        out += wire.text(3, masks.text(link.tracestate))
    return out + _attributes(4, link.attributes, masks) + wire.fixed32(6, link.flags | _HAS_REMOTE)


_SHORT_CHARS = wire.SHORT - 2
_HEAD_BYTES = 4
_HEADS = tuple(
    wire.tag(2, wire.BYTES) + wire.SMALL[size + 2] + wire.tag(1, wire.BYTES) + wire.SMALL[size]
    for size in range(_SHORT_CHARS)
)
"""What stands between a name and a text of so many bytes: an ``AnyValue`` with a string in it."""


_TAG = wire.tag(9, wire.BYTES)


def said(name: bytes, value: str) -> bytes:
    """Return an attribute of a span that is a text.

    Args:
        name: The attribute's, as the first field of a message.
        value: Masked.
    """
    data = value.encode("utf-8", "replace")
    size = len(name) + len(data) + _HEAD_BYTES
    if size < wire.SHORT and len(data) < _SHORT_CHARS:
        return _TAG + wire.SMALL[size] + name + _HEADS[len(data)] + data
    return wire.block(9, name + wire.block(2, _any(value)))


def _attributes(field: int, attributes: Mapping[str, object], masks: Masks) -> bytes:
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


def nanos(at_s: float) -> int:
    """Return a wall time in nanoseconds."""
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
