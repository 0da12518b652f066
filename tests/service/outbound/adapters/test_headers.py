import pytest

from mainstay.core.trace import SAMPLED, Trace, parse_traceparent
from mainstay.service.outbound.adapters.headers import (
    DEADLINE_HEADER,
    headers_out,
)

TRACE = Trace("a" * 32, "b" * 16, "c" * 16, SAMPLED)


@pytest.mark.parametrize(
    ("left_s", "said"),
    [(1.0, "1000"), (0.0019, "1"), (0.0001, "1"), (0.0, "1"), (3600.5, "3600500")],
)
def test_the_time_that_is_left_is_rounded_down_to_a_millisecond_at_least(
    left_s: float, said: str
) -> None:
    """0 would mean: without a bound."""
    assert headers_out(left_s, None) == {DEADLINE_HEADER: said}


def test_without_a_bound_and_a_trace_nothing_is_said() -> None:
    assert headers_out(None, None) == {}


@pytest.mark.parametrize("span_id", ["d" * 16, None])
def test_the_trace_goes_on_in_a_span_of_its_own_if_it_has_one(span_id: str | None) -> None:
    """A span that nobody records is nobody's parent: then the request itself is."""
    sent = headers_out(None, TRACE, span_id)["traceparent"]
    assert parse_traceparent(sent.encode()) == (
        TRACE.trace_id,
        span_id or TRACE.span_id,
        SAMPLED,
    )


def test_what_came_with_the_request_goes_on() -> None:
    trace = TRACE._replace(request_id="order-17", vendors=b"foo=1 ,bar=2", baggage=b"user=ann")
    headers = headers_out(None, trace)
    assert headers.pop("traceparent").startswith(f"00-{TRACE.trace_id}-")
    assert headers == {
        "tracestate": "foo=1,bar=2",
        "baggage": "user=ann",
        "x-request-id": "order-17",
    }


def test_what_is_not_valid_goes_nowhere() -> None:
    trace = TRACE._replace(vendors=b"foo", baggage=b"a\r\nb: c")
    assert set(headers_out(None, trace)) == {"traceparent"}


@pytest.mark.parametrize(
    ("own", "added"),
    [
        ("traceparent", {"baggage", "x-request-id"}),
        ("baggage", {"traceparent", "tracestate", "x-request-id"}),
        ("x-request-id", {"traceparent", "tracestate", "baggage"}),
    ],
)
def test_who_set_a_header_knows_better(own: str, added: set[str]) -> None:
    """A trace of one's own goes without the vendors of another one."""
    trace = TRACE._replace(request_id="order-17", vendors=b"foo=1", baggage=b"user=ann")
    assert set(headers_out(None, trace, None, {own})) == added
