"""OTLP in protobuf and in JSON: what OpenTelemetry's own classes write, and what nobody should."""

import base64
import json
from contextlib import suppress
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]  # Has no types.
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from mainstay.control.traces import otlp_json, otlp_protobuf
from mainstay.control.traces.line import line_of
from mainstay.control.traces.protobuf import Unreadable
from mainstay.control.traces.span import (
    ATTRIBUTES_MAX,
    MOMENTS_MAX,
    NAME_CHARS_MAX,
    SPANS_MAX,
    TEXT_CHARS_MAX,
    Received,
)

IDS = {"trace_id": bytes(range(1, 17)), "span_id": bytes(range(1, 9))}

plain_values = st.one_of(
    st.text(max_size=20).map(lambda one: AnyValue(string_value=one)),
    st.booleans().map(lambda one: AnyValue(bool_value=one)),
    st.integers(-(2**63), 2**63 - 1).map(lambda one: AnyValue(int_value=one)),
    st.floats(allow_nan=False, allow_infinity=False).map(lambda one: AnyValue(double_value=one)),
    st.binary(max_size=9).map(lambda one: AnyValue(bytes_value=one)),
)


def _list_of(values: list[AnyValue]) -> AnyValue:
    found = AnyValue()
    found.array_value.values.extend(values)
    return found


def _mapping_of(pairs: dict[str, AnyValue]) -> AnyValue:
    found = AnyValue()
    found.kvlist_value.values.extend(KeyValue(key=key, value=one) for key, one in pairs.items())
    return found


values = st.recursive(
    plain_values,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(_list_of),
        st.dictionaries(st.text(max_size=5), inner, min_size=1, max_size=3).map(_mapping_of),
    ),
    max_leaves=10,
)
attributes = st.dictionaries(st.text(max_size=10), values, max_size=5)
instants = st.integers(0, 2**63 - 1)


@st.composite
def requests(draw: st.DrawFn) -> ExportTraceServiceRequest:
    """Return a request as an SDK may make it."""
    request = ExportTraceServiceRequest()
    for _ in range(draw(st.integers(0, 2))):
        resource = request.resource_spans.add()
        _put(resource.resource.attributes, {"service.name": AnyValue(string_value=draw(st.text()))})
        for _ in range(draw(st.integers(0, 2))):
            scope = resource.scope_spans.add()
            scope.scope.name = "x"
            for _ in range(draw(st.integers(0, 3))):
                _fill(draw, scope.spans.add())
    return request


def _fill(draw: st.DrawFn, span: Any) -> None:
    span.trace_id = draw(st.binary(min_size=16, max_size=16))
    span.span_id = draw(st.binary(min_size=8, max_size=8))
    span.parent_span_id = draw(st.sampled_from([b"", bytes(8), bytes(range(8))]))
    span.trace_state = "a=b"
    span.flags = 0x101
    span.name = draw(st.text())
    span.kind = draw(st.integers(0, 5))
    span.start_time_unix_nano = draw(instants)
    span.end_time_unix_nano = draw(instants)
    span.dropped_attributes_count = 3
    _put(span.attributes, draw(attributes))
    span.links.add(trace_id=bytes(16), span_id=bytes(8))
    for _ in range(draw(st.integers(0, 2))):
        event = span.events.add(name=draw(st.text()), time_unix_nano=draw(instants))
        _put(event.attributes, draw(attributes))
    if draw(st.booleans()):
        span.status.code = draw(st.integers(0, 2))
        span.status.message = draw(st.text())


def _put(there: Any, pairs: dict[str, AnyValue]) -> None:
    for key, value in pairs.items():
        there.add(key=key, value=value)


def as_json(request: ExportTraceServiceRequest) -> bytes:
    """Return a request as OTLP has it in JSON: as protobuf's own JSON, with ids in hexadecimal."""
    said = MessageToDict(request, use_integers_for_enums=True)
    for resource in said.get("resourceSpans", []):
        for scope in resource.get("scopeSpans", []):
            for span in scope.get("spans", []):
                for name in ("traceId", "spanId", "parentSpanId"):
                    if name in span:
                        span[name] = base64.b64decode(span[name]).hex()
    return json.dumps(said).encode()


@given(requests())
def test_protobuf_and_json_say_the_same(request: ExportTraceServiceRequest) -> None:
    """Law: what OpenTelemetry's own classes write is read alike in both forms, and whole."""
    binary = otlp_protobuf.received(request.SerializeToString())
    assert binary == otlp_json.received(as_json(request))
    sent = [
        one for part in request.resource_spans for scope in part.scope_spans for one in scope.spans
    ]
    assert len(binary.spans) + binary.rejected == len(sent)
    valid = [one for one in sent if any(one.trace_id) and any(one.span_id)]
    assert [one.trace_id for one in binary.spans] == [one.trace_id.hex() for one in valid]
    assert [one.name for one in binary.spans] == [one.name[:NAME_CHARS_MAX] for one in valid]
    assert [one.start_ns for one in binary.spans] == [one.start_time_unix_nano for one in valid]


def test_every_field_that_is_kept_is_read() -> None:
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    _put(resource.resource.attributes, {
        "service.name": AnyValue(string_value="web"),
        "service.instance.id": AnyValue(string_value="web-1.7"),
    })  # fmt: skip
    sent = resource.scope_spans.add().spans.add(
        **IDS, parent_span_id=b"\1" * 8, name="GET /", kind=2, start_time_unix_nano=5,
        end_time_unix_nano=9,
    )  # fmt: skip
    _put(sent.attributes, {
        "n": AnyValue(int_value=-7),
        "x": AnyValue(double_value=1.5),
        "l": _list_of([AnyValue(string_value="a"), AnyValue(bool_value=True)]),
        "b": AnyValue(bytes_value=b"\xff"),
    })  # fmt: skip
    sent.events.add(name="exception", time_unix_nano=6)
    sent.status.code, sent.status.message = 2, "no stock"
    (span,) = otlp_protobuf.received(request.SerializeToString()).spans
    assert (span.trace_id, span.span_id) == ("0102030405060708090a0b0c0d0e0f10", "0102030405060708")
    assert (span.parent_id, span.service, span.instance) == ("01" * 8, "web", "web-1.7")
    assert (span.name, span.kind, span.start_ns, span.end_ns) == ("GET /", "server", 5, 9)
    assert (span.status, span.message, span.failed) == ("error", "no stock", True)
    assert span.attributes == {"n": -7, "x": 1.5, "l": ["a", True], "b": "ff"}
    assert [(one.name, one.at_ns) for one in span.moments] == [("exception", 6)]


def one_span(**changes: Any) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.add(**{**IDS, **changes})
    return request


def test_what_is_kept_is_bounded() -> None:
    request = one_span(name="n" * 10_000)
    (sent,) = request.resource_spans[0].scope_spans[0].spans
    _put(
        sent.attributes,
        {f"{n:09d}" + "k" * 500: AnyValue(string_value="v" * 9000) for n in range(200)},
    )
    for _ in range(200):
        sent.events.add(name="e" * 10_000)
    both = otlp_protobuf.received(request.SerializeToString()), otlp_json.received(as_json(request))
    assert both[0] == both[1]
    (span,) = both[0].spans
    assert len(span.name) == NAME_CHARS_MAX
    assert len(span.attributes) == ATTRIBUTES_MAX
    assert {len(name) for name in span.attributes} == {NAME_CHARS_MAX}
    assert {len(value) for value in span.attributes.values()} == {TEXT_CHARS_MAX}
    assert len(span.moments) == MOMENTS_MAX


def test_depth_is_bounded_and_costs_no_stack() -> None:
    nested = AnyValue(string_value="deep")
    for _ in range(12):
        nested = _list_of([nested])
    request = one_span()
    _put(request.resource_spans[0].scope_spans[0].spans[0].attributes, {"deep": nested})
    binary = otlp_protobuf.received(request.SerializeToString())
    assert json.dumps(binary.spans[0].attributes) == '{"deep": [[["..."]]]}'
    assert otlp_json.received(as_json(request)) == binary
    inner = b""
    for _ in range(5000):
        inner = b"\x0a" + _varint(len(inner)) + inner
        inner = b"\x2a" + _varint(len(inner)) + inner
    body = b"\x0a\x06shop\x12\x00"
    with pytest.raises(Unreadable):
        otlp_protobuf.received(body)
    pair = b"\x0a\x01k\x12" + _varint(len(inner)) + inner
    span = b"\x0a\x10" + IDS["trace_id"] + b"\x12\x08" + IDS["span_id"]
    span += b"\x4a" + _varint(len(pair)) + pair
    scope = b"\x12" + _varint(len(span)) + span
    resource = b"\x12" + _varint(len(scope)) + scope
    found = otlp_protobuf.received(b"\x0a" + _varint(len(resource)) + resource)
    assert found.spans[0].attributes == {"k": [[["..."]]]}


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes((*out, number))


def test_spans_beyond_the_bound_of_a_request_are_counted_as_rejected() -> None:
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    scope.spans.extend([one_span().resource_spans[0].scope_spans[0].spans[0]] * (SPANS_MAX + 3))
    found = otlp_protobuf.received(request.SerializeToString())
    assert (len(found.spans), found.rejected) == (SPANS_MAX, 3)


@given(st.binary(max_size=200))
def test_any_bytes_are_spans_or_refused_in_words(body: bytes) -> None:
    for read in (otlp_protobuf.received, otlp_json.received):
        with suppress(Unreadable):
            assert isinstance(read(body), Received)


@given(requests(), st.data())
def test_a_request_that_was_changed_on_its_way_is_spans_or_refused(
    request: ExportTraceServiceRequest, data: st.DataObject
) -> None:
    body = bytearray(request.SerializeToString())
    for _ in range(data.draw(st.integers(0, 3))):
        if body:
            body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    del body[data.draw(st.integers(0, len(body))) :]
    with suppress(Unreadable):
        # Whatever is taken can be written.
        found = otlp_protobuf.received(bytes(body))
        assert all(line_of(span).endswith(b"\n") for span in found.spans)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.data())
def test_json_of_the_wrong_shape_is_passed_over(data: st.DataObject) -> None:
    """Law: whatever stands in place of a field, there is a span that can be written, or none."""
    names = ("traceId", "spanId", "parentSpanId", "name", "kind", "startTimeUnixNano",
             "endTimeUnixNano", "attributes", "events", "status")  # fmt: skip
    span: dict[str, Any] = {"traceId": "ab" * 16, "spanId": "CD" * 8}
    for name in data.draw(st.lists(st.sampled_from(names), unique=True)):
        span[name] = data.draw(json_values)
    value = {data.draw(st.sampled_from(
        ["stringValue", "boolValue", "intValue", "doubleValue", "bytesValue", "arrayValue",
         "kvlistValue"])): data.draw(json_values)}  # fmt: skip
    span.setdefault("attributes", [{"key": "k", "value": value}, data.draw(json_values)])
    body = {"resourceSpans": [{"scopeSpans": [{"spans": [span, data.draw(json_values)]}]}]}
    found = otlp_json.received(json.dumps(body).encode())
    assert all(line_of(one).isascii() for one in found.spans)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"null", b'"x"', b"[" * 100_000, b"\xff"])
def test_what_is_no_object_in_json_is_refused(body: bytes) -> None:
    with pytest.raises(Unreadable):
        otlp_json.received(body)
