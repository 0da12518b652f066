from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from tests.telemetry.traces.kit import MASKS, RESOURCE, span
from tests.telemetry.traces.receiver import attributes_of

from mainstay.telemetry.traces.otlp import (
    READY_MAX,
    TEXT_CHARS_MAX,
    Masks,
    encoded,
    rejected_of,
    request_of,
)
from mainstay.telemetry.traces.span import CLIENT, ERROR, Link, Moment, Scope, Span

PLAIN = Masks(lambda found: found, lambda text: text)

values = (
    st.text(max_size=50)
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
)


def parsed(one: Span, masks: Masks = PLAIN) -> Any:
    """Return the span as a collector reads it. Any: the generated classes have no types."""
    request = ExportTraceServiceRequest()
    request.ParseFromString(request_of(RESOURCE, [encoded(one, masks)], masks))
    [resource] = request.resource_spans
    assert attributes_of(resource.resource) == RESOURCE
    [within] = resource.scope_spans
    assert (within.scope.name, within.scope.version) == one.scope
    [read] = within.spans
    return read


def test_a_collector_reads_what_a_span_says() -> None:
    link = Link("d" * 32, "e" * 16, "x=y", 1, {"why": "batch"})
    one = span(
        kind=CLIENT,
        name="GET payments",
        vendors=b"rojo=1, congo=2",
        flags=3,
        remote=True,
        attributes={"a": 1, "list": ["x", "y"], "ratio": 0.25, "yes": True},
        moments=[Moment("retried", 1_800_000_000.25, {"attempt": 1})],
        links=[link],
        status=ERROR,
        message="refused",
        scope=Scope("lib", "1.2"),
    )
    read = parsed(one)
    assert (read.trace_id.hex(), read.span_id.hex()) == (one.trace_id, one.span_id)
    assert (read.parent_span_id.hex(), read.trace_state) == (one.parent_id, "rojo=1,congo=2")
    assert (read.name, read.kind, read.flags) == ("GET payments", 3, 0x303)
    assert read.start_time_unix_nano == 1_800_000_000_000_000_000
    assert read.end_time_unix_nano - read.start_time_unix_nano == 500_000_000
    assert attributes_of(read) == one.attributes
    assert (read.status.code, read.status.message) == (2, "refused")
    [moment] = read.events
    assert (moment.name, attributes_of(moment)) == ("retried", {"attempt": 1})
    assert moment.time_unix_nano == 1_800_000_000_250_000_000
    [seen] = read.links
    assert (seen.trace_id.hex(), seen.span_id.hex(), seen.trace_state) == link[:3]
    assert attributes_of(seen) == {"why": "batch"}


@given(st.dictionaries(st.text(max_size=20), values | st.lists(values, max_size=4), max_size=8))
def test_any_attribute_arrives_as_it_was(attributes: Mapping[str, Any]) -> None:
    """A text that is none (half a surrogate) arrives with question marks in place of that."""
    found = attributes_of(parsed(span(attributes=attributes)))
    assert found == {_sendable(k): _sendable(v) for k, v in attributes.items()}


def _sendable(value: Any) -> Any:
    if isinstance(value, list):
        return [_sendable(one) for one in value]
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def test_the_first_of_a_trace_has_no_parent() -> None:
    read = parsed(span(parent_id=None))
    assert (read.parent_span_id, read.flags) == (b"", 0x101)


def test_a_span_never_ends_before_its_start() -> None:
    read = parsed(span(end_s=1_799_999_999.0))
    assert read.end_time_unix_nano == read.start_time_unix_nano


@pytest.mark.parametrize("value", [2**70, object, ("x" * 9999,), b"x" * 9999])
def test_what_is_no_value_is_told_as_a_bounded_text(value: Any) -> None:
    found = attributes_of(parsed(span(attributes={"a": value})))["a"]
    texts = found if isinstance(found, list) else [found]
    assert all(0 < len(text) <= TEXT_CHARS_MAX for text in texts)


def test_secrets_stay_in_the_process() -> None:
    mail = "jane" + "@" + "example.com"
    read = parsed(
        span(
            name=f"call {mail}",
            attributes={"password": "hunter2", "url.path": f"/users/{mail}"},
            moments=[Moment("exception", 1.0, {"exception.message": f"no user {mail}"})],
            links=[Link("d" * 32, "e" * 16, "", 1, {"token": "hunter2"})],
            status=ERROR,
            message=f"no user {mail}",
        ),
        MASKS,
    )
    told = str(read)
    assert "hunter2" not in told
    assert mail not in told
    assert "/users/" in told


def test_what_a_caller_says_of_a_trace_is_masked_and_of_other_systems_stays() -> None:
    mail = "jane" + "@" + "example.com"
    said = f"shop=password:hunter2,w={mail},dd=s:2;o:rum,rojo=00f067aa0ba902b7"
    shown = "shop=password:***,w=***,dd=s:2;o:rum,rojo=00f067aa0ba902b7"
    read = parsed(span(vendors=said.encode(), links=[Link("d" * 32, "e" * 16, said, 1, {})]), MASKS)
    assert read.trace_state == shown
    assert read.links[0].trace_state == shown


AGENT = "user_agent.original"


def test_what_is_ready_is_as_masked_as_what_is_new() -> None:
    mail = "jane" + "@" + "example.com"
    masks = Masks(MASKS.mapping, MASKS.text)
    one = span(name=f"call {mail}", attributes={AGENT: f"bot {mail}"}, vendors=f"a={mail}".encode())
    first, again = parsed(one, masks), parsed(one, masks)
    assert first == again
    assert mail not in str(again)
    assert attributes_of(again)[AGENT].startswith("bot ")


def test_numbers_and_truths_that_are_equal_stay_apart() -> None:
    masks = Masks(MASKS.mapping, MASKS.text)
    for value in (1, True, 1.0, 1):
        [found] = attributes_of(
            parsed(span(attributes={"http.response.status_code": value}), masks)
        ).values()
        assert (type(found), found) == (type(value), value)


def test_a_request_s_id_of_our_own_is_sent_as_it_is_and_a_stranger_s_is_masked() -> None:
    mail = "jane" + "@" + "example.com"
    key = "mainstay.request_id"
    for said, own in ((mail, False), ("b" * 16, True)):
        found = attributes_of(parsed(span(attributes={key: said}), MASKS))
        assert (found[key] == said) == own


def test_strangers_fill_no_memory() -> None:
    masks = Masks(MASKS.mapping, MASKS.text)
    for number in range(READY_MAX + 10):
        encoded(span(attributes={AGENT: f"bot {number}"}), masks)
    assert 0 < len(masks.ready) <= READY_MAX


@given(st.integers(0, 2**63 - 1), st.text(max_size=40))
def test_what_a_collector_rejected_is_read(count: int, why: str) -> None:
    answer = ExportTraceServiceResponse()
    assert rejected_of(answer.SerializeToString()) == 0
    answer.partial_success.rejected_spans = count
    answer.partial_success.error_message = why.encode("utf-8", "replace").decode()
    assert rejected_of(answer.SerializeToString()) == count
