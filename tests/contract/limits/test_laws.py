"""What every store of limits holds; the model in memory is one of them."""

from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.contract.limits.stores import InMemory, Store

from mainstay.core.limits import Answers, Ask

US = 1e-6

ASKS = st.lists(
    st.builds(
        Ask,
        key=st.sampled_from(["a", "b", "c", "\ud800", "x" * 300]),
        every_s=st.sampled_from([60.0, 1000 / 3, 3600.0]),
        burst=st.integers(1, 5),
        cost=st.integers(0, 6),
    ),
    min_size=1, max_size=3, unique_by=lambda ask: ask.key,
)  # fmt: skip
# Also back, as an operator sets a clock. All times are long: Valkey forgets by real time, and that
# must not pass while the test runs.
STEPS = st.lists(
    st.tuples(st.integers(-1_000_000_000, 4_000_000_000), ASKS), min_size=1, max_size=15
)


def same(one: Answers, other: Answers) -> bool:
    """Compare; what goes over the wire is rounded to µs."""
    return len(one) == len(other) and all(
        (mine.allowed, mine.remaining) == (theirs.allowed, theirs.remaining)
        and mine.retry_after_s == pytest.approx(theirs.retry_after_s, abs=3 * US)
        and mine.reset_after_s == pytest.approx(theirs.reset_after_s, abs=3 * US)
        for mine, theirs in zip(one, other, strict=True)
    )


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_the_same_takes_have_the_same_answers(
    stores: Sequence[Store], steps: list[tuple[int, list[Ask]]]
) -> None:
    for one in stores:
        one.renew()
    now_us = 10_000_000_000
    for step_us, asks in steps:
        now_us = max(0, now_us + step_us)
        for one in stores:
            one.set_clock(now_us * US)
        model, *others = [one.take(asks) for one in stores]
        for answers in others:
            assert same(answers, model), (answers, model)


def test_of_several_limits_all_are_taken_or_none(store: Store) -> None:
    asks = [Ask("a", 600.0, 3), Ask("b", 6000.0, 1)]
    assert [one.remaining for one in store.take(asks)] == [2, 0]
    again = store.take(asks)
    assert [(one.allowed, one.remaining) for one in again] == [(True, 2), (False, 0)]
    assert store.take([Ask("a", 600.0, 3, 0)])[0].remaining == 2


def test_who_waits_as_long_as_told_passes(store: Store) -> None:
    ask = Ask("a", 1000 / 3, 2)
    for _ in range(2):
        store.take([ask])
    refused = store.take([ask])[0]
    assert not refused.allowed
    store.set_clock(refused.retry_after_s)
    assert store.take([ask])[0].allowed


def test_a_clock_that_is_set_back_costs_a_full_bucket_at_most(store: Store) -> None:
    store.set_clock(3600.0)
    store.take([Ask("a", 600.0, 3)])
    store.set_clock(0.0)
    refused = store.take([Ask("a", 600.0, 3)])[0]
    assert not refused.allowed
    assert refused.reset_after_s == pytest.approx(1800.0, abs=3 * US)


def test_a_call_that_costs_more_than_the_burst_is_told_never(store: Store) -> None:
    refused = store.take([Ask("a", 1.0, 3, 4)])[0]
    assert (refused.allowed, refused.retry_after_s) == (False, float("inf"))


@pytest.mark.parametrize("every_s", [3600.0, 1000 / 7, 1000 / 49, 12345.678901])
def test_one_burst_passes_however_many_calls_there_are(store: Store, every_s: float) -> None:
    """Exactly, though sums of such numbers are never exact."""
    store.set_clock(123_456.789012)
    ask = Ask("a", every_s, 100)
    assert sum(store.take([ask])[0].allowed for _ in range(150)) == 100


def test_the_model_is_a_store_of_its_own() -> None:
    """Two models share nothing: else the comparison would prove nothing."""
    one, other = InMemory(), InMemory()
    one.take([Ask("a", 1.0, 1)])
    assert other.take([Ask("a", 1.0, 1)])[0].allowed
