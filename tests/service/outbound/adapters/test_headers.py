from random import Random

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
    assert headers_out(left_s, None, Random(1)) == {DEADLINE_HEADER: said}


def test_without_a_bound_and_a_trace_nothing_is_said() -> None:
    assert headers_out(None, None, Random(1)) == {}


def test_the_trace_goes_on_in_a_span_of_its_own() -> None:
    rng = Random(1)
    sent = [headers_out(None, TRACE, rng)["traceparent"] for _ in range(3)]
    parsed = [parse_traceparent(one.encode()) for one in sent]
    assert all(one is not None and one[0] == TRACE.trace_id and one[2] == SAMPLED for one in parsed)
    assert len({one[1] for one in parsed if one} | {TRACE.span_id}) == 4


def test_what_came_with_the_request_goes_on() -> None:
    trace = TRACE._replace(request_id="order-17", vendors=b"foo=1 ,bar=2", baggage=b"user=ann")
    headers = headers_out(None, trace, Random(1))
    assert headers.pop("traceparent").startswith(f"00-{TRACE.trace_id}-")
    assert headers == {
        "tracestate": "foo=1,bar=2",
        "baggage": "user=ann",
        "x-request-id": "order-17",
    }


def test_what_is_not_valid_goes_nowhere() -> None:
    trace = TRACE._replace(vendors=b"foo", baggage=b"a\r\nb: c")
    assert set(headers_out(None, trace, Random(1))) == {"traceparent"}


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
    assert set(headers_out(None, trace, Random(1), {own})) == added
