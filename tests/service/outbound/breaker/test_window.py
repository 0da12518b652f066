"""The windows against a naive model: a list of all calls, looked through every time."""

import math

from hypothesis import given
from hypothesis import strategies as st

from mainstay.service.outbound.breaker.window import SLICES, CountWindow, TimeWindow

CALLS = st.lists(
    st.tuples(st.booleans(), st.one_of(st.just(0.0), st.floats(0, 50), st.floats(0, 0.5))),
    max_size=200,
)


@given(st.integers(1, 12), st.lists(st.booleans(), max_size=60))
def test_a_count_window_is_the_last_calls_and_no_more(size: int, hits: list[bool]) -> None:
    window = CountWindow(size)
    for nth, hit in enumerate(hits, start=1):
        window.record(hit=hit, now_s=0.0)
        last = hits[max(0, nth - size) : nth]
        assert (window.calls, window.hits) == (len(last), sum(last))


@given(st.sampled_from([1.0, 10.0, 30.0]), CALLS)
def test_a_time_window_is_the_calls_of_its_newest_ten_slices(
    size_s: float, calls: list[tuple[bool, float]]
) -> None:
    window = TimeWindow(size_s)
    now_s, seen = 1000.0, []
    for hit, pause_s in calls:
        now_s += pause_s
        window.record(hit=hit, now_s=now_s)
        newest = math.floor(now_s // (size_s / SLICES))
        seen.append((newest, hit))
        fresh = [was_hit for at, was_hit in seen if at > newest - SLICES]
        assert (window.calls, window.hits) == (len(fresh), sum(fresh))


@given(CALLS)
def test_a_time_window_never_counts_what_is_older_than_itself(
    calls: list[tuple[bool, float]],
) -> None:
    window = TimeWindow(10.0)
    now_s, seen = 0.0, []
    for hit, pause_s in calls:
        now_s += pause_s
        window.record(hit=hit, now_s=now_s)
        seen.append(now_s)
        within = sum(now_s - at_s < 10.0 for at_s in seen)
        # The newest slice is not full: up to a tenth less than the window is counted.
        surely = sum(now_s - at_s < 9.0 for at_s in seen)
        assert surely <= window.calls <= within + 1e-9


def test_time_that_goes_back_loses_no_call_and_makes_none_young_again() -> None:
    window = TimeWindow(10.0)
    window.record(hit=True, now_s=100.0)
    window.record(hit=True, now_s=3.0)
    assert (window.calls, window.hits) == (2, 2)
    window.advance(110.0)
    assert window.calls == 0


def test_a_pause_of_years_costs_ten_steps() -> None:
    window = TimeWindow(1.0)
    window.record(hit=True, now_s=1.0)
    window.record(hit=False, now_s=1e9)
    assert (window.calls, window.hits) == (1, 0)


def test_clear_forgets_everything() -> None:
    for window in (CountWindow(3), TimeWindow(3.0)):
        window.record(hit=True, now_s=1.0)
        window.clear()
        assert (window.calls, window.hits) == (0, 0)
        window.record(hit=False, now_s=1.0)
        assert (window.calls, window.hits) == (1, 0)
