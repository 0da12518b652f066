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
