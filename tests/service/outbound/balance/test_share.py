"""The window in two halves, against a model that remembers every call."""

import math

from hypothesis import given
from hypothesis import strategies as st

from mainstay.service.outbound.balance.share import FailureShare

# Whole numbers too, so that calls fall on the very ends of the halves.
PAUSES = st.one_of(st.floats(0, 40), st.integers(0, 40).map(float))
CALLS = st.lists(st.tuples(PAUSES, st.booleans()), max_size=60)


@given(
    calls=CALLS,
    window_s=st.sampled_from([1.0, 6.0, 30.0]),
    start_s=st.sampled_from([0.0, 15.0, 1e9 / 7]),
)
def test_it_counts_as_a_naive_model_does(
    calls: list[tuple[float, bool]], window_s: float, start_s: float
) -> None:
    """The model keeps all calls and counts those of the running half and the one before."""
    share = FailureShare()
    half_s = window_s / 2
    now_s = start_s
    remembered: list[tuple[float, bool]] = []
    for pause_s, failed in calls:
        now_s += pause_s
        share.record(int(failed), now_s, window_s)
        remembered.append((now_s, failed))
        half = math.floor(now_s / half_s)
        recent = [bad for at_s, bad in remembered if math.floor(at_s / half_s) >= half - 1]
        assert share.counts(now_s, window_s) == (len(recent), sum(recent))


def test_a_half_ends_where_the_next_begins() -> None:
    """Asked at the very end of the window, a call in its first instant is forgotten."""
    share = FailureShare()
    share.record(1, 0.0, 10.0)
    assert share.counts(9.999, 10.0) == (1, 1)
    assert share.counts(10.0, 10.0) == (0, 0)
    share.record(1, 10.0, 10.0)
    share.record(0, 15.0, 10.0)
    assert share.counts(20.0, 10.0) == (1, 0)


def test_clearing_forgets() -> None:
    share = FailureShare()
    share.record(1, 5.0, 10.0)
    share.clear()
    assert share.counts(5.0, 10.0) == (0, 0)
