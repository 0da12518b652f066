"""The retry budget: a share of the calls of the last second, or a floor."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.service.outbound.retry.budget import Budget


def test_retries_are_a_share_of_the_calls() -> None:
    budget = Budget(0.2, 0.0, now_s=1.0)
    budget.calls += 100
    assert sum(budget.spend(1.0) for _ in range(100)) == 20
    assert (budget.spent, budget.denied) == (20, 80)


def test_the_floor_is_there_without_any_calls_and_comes_back_each_second() -> None:
    budget = Budget(0.0, 3.0, now_s=1.0)
    assert [budget.spend(10.0) for _ in range(5)] == [True, True, True, False, False]
    assert not budget.spend(10.5)
    assert [budget.spend(11.1) for _ in range(5)] == [True, True, True, False, False]


def test_a_quiet_hour_saves_nothing_up() -> None:
    """Ten calls a second for an hour, then an outage: at once 20 % of one second, not of 3600."""
    budget = Budget(0.2, 0.0, now_s=0.0)
    budget.calls += 36_000
    assert sum(budget.spend(3600.0) for _ in range(1000)) == pytest.approx(2, abs=1)


@given(
    st.floats(0.05, 1.0),
    st.lists(st.tuples(st.integers(0, 20), st.floats(0, 0.4), st.integers(0, 20)), max_size=80),
)
def test_in_no_second_more_is_granted_than_share_or_floor_allow(
    share: float, steps: list[tuple[int, float, int]]
) -> None:
    """Every step is looked at by ``spend``, so the naive sums below know when calls were made."""
    budget, now_s = Budget(share, 2.0, now_s=100.0), 100.0
    calls: list[tuple[float, int]] = []
    granted: list[float] = []
    for made, pause_s, wanted in steps:
        now_s += pause_s
        budget.calls += made
        calls.append((now_s, made))
        granted += [now_s for _ in range(wanted) if budget.spend(now_s)]
        # A second, and the slice in which it begins, in which calls were spread evenly.
        recent = sum(count for at_s, count in calls if now_s - at_s < 1.6)
        within = sum(now_s - at_s < 0.9 for at_s in granted)
        assert within <= max(share * recent, 2.0) + 1e-6


def test_the_floor_is_not_added_to_the_share() -> None:
    budget = Budget(0.2, 10.0, now_s=1.0)
    budget.calls += 100
    assert sum(budget.spend(1.0) for _ in range(100)) == 20


def test_new_figures_keep_what_was_counted() -> None:
    budget = Budget(0.2, 0.0, now_s=1.0)
    budget.calls += 100
    budget.spend(1.0)
    budget.reconfigure(0.5, 0.0)
    assert budget.left(1.0) == 49
