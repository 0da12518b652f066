"""Windows, budgets and sketches at the edges of their slices, sizes and generations."""

import pytest

from mainstay.service.outbound.breaker.window import CALLS_MAX, SLICES, CountWindow, TimeWindow
from mainstay.service.outbound.latency import Latency
from mainstay.service.outbound.retry.budget import Budget


@pytest.mark.parametrize("size", [1, CALLS_MAX])
def test_a_window_of_calls_has_a_least_and_a_most(size: int) -> None:
    window = CountWindow(size)
    window.record(hit=True, now_s=0.0)
    assert (window.calls, window.hits) == (1, 1)
    for wrong in (0, CALLS_MAX + 1):
        with pytest.raises(AssertionError):
            CountWindow(wrong)


def test_a_cleared_window_of_one_call_starts_anew() -> None:
    window = CountWindow(1)
    window.record(hit=True, now_s=0.0)
    window.clear()
    window.record(hit=True, now_s=0.0)
    window.record(hit=False, now_s=0.0)
    assert (window.calls, window.hits) == (1, 0)


def test_only_calls_move_a_window_of_calls() -> None:
    window = CountWindow(3)
    window.record(hit=True, now_s=0.0)
    window.advance(1e9)
    assert (window.calls, window.hits) == (1, 1)


def test_a_window_of_time_is_not_empty() -> None:
    with pytest.raises(AssertionError):
        TimeWindow(0.0)


def test_a_slice_begins_at_its_very_moment() -> None:
    window = TimeWindow(10.0)
    window.record(hit=True, now_s=0.0)
    window.record(hit=False, now_s=1.0)
    window.record(hit=False, now_s=10.0)
    assert (window.calls, window.hits) == (2, 0)


def test_what_is_ten_slices_old_is_forgotten_and_what_is_nine_is_not() -> None:
    window = TimeWindow(10.0)
    for nth in range(SLICES):
        window.record(hit=nth % 2 == 0, now_s=nth + 0.5)
    window.advance(9.9)
    assert (window.calls, window.hits) == (10, 5)
    window.advance(10.0)
    assert (window.calls, window.hits) == (9, 4)
    window.advance(18.9)
    assert (window.calls, window.hits) == (1, 0)
    window.advance(19.0)
    assert (window.calls, window.hits) == (0, 0)


def test_a_cleared_window_of_time_goes_on_moving() -> None:
    window = TimeWindow(10.0)
    window.record(hit=True, now_s=500.0)
    window.clear()
    window.record(hit=True, now_s=1.0)
    window.record(hit=False, now_s=100.0)
    assert (window.calls, window.hits) == (1, 0)


def test_a_budget_is_neither_more_nor_less_than_its_share() -> None:
    budget = Budget(0.5, 1.0, now_s=10.05)
    budget.calls += 6
    assert budget.left(10.05) == 3
    assert [budget.spend(10.05) for _ in range(5)] == [True, True, True, False, False]
    assert (budget.left(10.05), budget.spent, budget.denied) == (0, 3, 2)


def test_a_new_floor_holds_at_once() -> None:
    budget = Budget(0.0, 1.0, now_s=10.05)
    budget.spend(10.05)
    budget.reconfigure(0.0, 3.0)
    assert budget.left(10.05) == 2
    budget.reconfigure(0.0, 0.0)
    assert budget.left(10.05) == 0


def test_the_calls_of_one_slice_leave_with_it() -> None:
    budget = Budget(1.0, 0.0, now_s=10.05)
    assert budget.left(10.05) == 0
    budget.calls += 10
    assert budget.left(10.15) == 10
    assert budget.left(11.05) == 10
    assert budget.left(11.15) == 0


def test_what_was_granted_in_a_slice_comes_back_with_it() -> None:
    budget = Budget(0.0, 2.0, now_s=10.05)
    assert budget.spend(10.05)
    assert budget.spend(10.55)
    assert [budget.left(now_s) for now_s in (10.95, 11.05, 11.45, 11.55)] == [0, 1, 1, 2]


def test_calls_that_nobody_noted_are_spread_over_the_gap() -> None:
    budget = Budget(1.0, 0.0, now_s=10.05)
    budget.calls += 50
    # Over five slices, of which the first leaves the window a second later.
    assert budget.left(10.55) == 50
    assert [budget.left(now_s) for now_s in (11.05, 11.15, 11.45, 11.55)] == [50, 40, 10, 0]
    budget.calls += 40
    # Over twenty, of which the last ten are the last second.
    assert budget.left(13.55) == 20


def test_a_clock_that_is_set_back_loses_no_calls() -> None:
    budget = Budget(1.0, 0.0, now_s=10.05)
    budget.calls += 3
    assert budget.left(5.0) == 3
    budget.calls += 2
    assert budget.left(10.05) == 5


def test_percentiles_are_looked_at_often_at_first_and_seldom_later() -> None:
    latency = Latency()
    told = [nth for nth in range(1, 1201) if latency.record(0.01)]
    assert told == [*range(50, 1001, 50), 1064, 1128, 1192]


def test_two_generations_of_a_thousand_calls_are_kept() -> None:
    latency, counts = Latency(), {}
    for nth in range(1, 2002):
        latency.record(0.01)
        counts[nth] = latency.count()
    wanted = {999: 999, 1000: 1000, 1999: 1999, 2000: 1000, 2001: 1001}
    assert {nth: counts[nth] for nth in wanted} == wanted


def test_a_new_generation_begins_empty() -> None:
    latency = Latency()
    for _ in range(1000):
        latency.record(1.0)
    assert latency.percentile_s(0.001) == pytest.approx(1.0, rel=0.12)


def test_what_is_too_short_or_too_long_is_in_the_outermost_buckets() -> None:
    for took_s, bucket in ((0.0, 0), (1e-5, 0), (1.18e-5, 0), (1.2e-5, 1), (1e9, 111)):
        latency = Latency()
        for _ in range(50):
            latency.record(took_s)
        assert latency.percentile_s(0.5) == pytest.approx(1e-5 * 2 ** ((bucket + 0.5) / 4))


def test_a_percentile_is_the_least_time_that_enough_calls_kept() -> None:
    latency = Latency()
    for took_s in (0.001, 1.0):
        for _ in range(50):
            latency.record(took_s)
    assert latency.percentile_s(0.5) == pytest.approx(0.001, rel=0.12)
    assert latency.percentile_s(0.501) == pytest.approx(1.0, rel=0.12)
    assert latency.percentile_s(1.0) == pytest.approx(1.0, rel=0.12)


def test_misses_that_were_counted_without_the_lock_are_in_their_slice() -> None:
    window = TimeWindow(10.0)
    window.record(False, 0.0)  # noqa: FBT003  By position, as calls do.
    window.misses += 3
    assert window.calls == 1
    window.fold()
    window.fold()
    assert window.calls == 4
    window.misses += 2
    window.record(True, 0.5)  # noqa: FBT003  As above.
    assert (window.calls, window.hits) == (7, 1)
    window.misses += 1
    window.record(False, 1.0)  # noqa: FBT003  As above.
    assert window.calls == 9
    # All but the last were in the slice that leaves.
    window.advance(10.0)
    assert (window.calls, window.hits) == (1, 0)


def test_misses_of_threads_that_lost_some_are_none() -> None:
    """Without a global lock a count may go back."""
    window = TimeWindow(10.0)
    window.record(False, 0.0)  # noqa: FBT003  As above.
    window.misses += 3
    window.fold()
    window.misses -= 2
    window.fold()
    assert window.calls == 4
    window.misses += 3
    window.fold()
    assert window.calls == 5


def test_what_was_counted_is_forgotten_with_all_else() -> None:
    window = TimeWindow(10.0)
    window.record(True, 0.0)  # noqa: FBT003  As above.
    window.misses += 3
    window.clear()
    window.record(False, 0.0)  # noqa: FBT003  As above.
    assert (window.calls, window.hits) == (1, 0)


def test_a_window_of_calls_needs_no_misses_when_it_is_full_of_them() -> None:
    window = CountWindow(2)
    found = []
    for hit in (False, False, True, False, False):
        window.record(hit, 0.0)
        window.fold()
        found.append(window.ignores_misses)
    assert found == [False, True, False, False, True]
    assert TimeWindow(1.0).ignores_misses is False
