"""The decision of a rate limit: laws of one bucket, and of several that are taken together."""

import math
import pickle

from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.errors import StoreRefused, StoreUnavailable
from mainstay.core.limits import NEVER_S, Answer, Ask, gcra, gcra_all

EVERY_S = st.floats(5e-3, 3600)
BURST = st.integers(1, 1000)
NOW_S = st.floats(0, 2e9)


@given(EVERY_S, BURST, st.floats(0, 1e8))
def test_an_empty_bucket_lets_exactly_its_burst_pass(
    every_s: float, burst: int, now_s: float
) -> None:
    due_s = NEVER_S
    for left in reversed(range(burst)):
        due_s, answer = gcra(due_s, now_s, every_s, burst)
        assert (answer.allowed, answer.remaining, answer.retry_after_s) == (True, left, 0)
    _, answer = gcra(due_s, now_s, every_s, burst)
    assert not answer.allowed
    assert answer.retry_after_s > 0


@given(EVERY_S, BURST, st.lists(st.tuples(st.floats(0, 3600), st.integers(0, 20)), max_size=50))
def test_no_more_pass_than_the_burst_and_the_rate_allow(
    every_s: float, burst: int, calls: list[tuple[float, int]]
) -> None:
    due_s, now_s, passed = NEVER_S, 1e6, 0
    for pause_s, cost in calls:
        now_s += pause_s
        due_s, answer = gcra(due_s, now_s, every_s, burst, cost)
        passed += cost * answer.allowed
        # One more than nominal is what the slack may add up to, at most.
        assert passed <= burst + (now_s - 1e6) / every_s + 1


@given(EVERY_S, BURST, NOW_S, st.integers(1, 50), st.data())
def test_who_waits_as_long_as_told_passes(
    every_s: float, burst: int, now_s: float, calls: int, data: st.DataObject
) -> None:
    due_s = NEVER_S
    for _ in range(calls):
        due_s, answer = gcra(due_s, now_s, every_s, burst, data.draw(st.integers(1, burst)))
    cost = data.draw(st.integers(1, burst))
    _, answer = gcra(due_s, now_s, every_s, burst, cost)
    _, again = gcra(due_s, now_s + answer.retry_after_s, every_s, burst, cost)
    assert again.allowed


@given(st.floats(-1e9, 4e9), NOW_S, EVERY_S, BURST, st.integers(0, 2000))
def test_whatever_was_kept_the_bucket_is_between_empty_and_full(
    due_s: float, now_s: float, every_s: float, burst: int, cost: int
) -> None:
    """A clock that is set back for a year, or a limit made stricter, locks nobody out for long."""
    _, answer = gcra(due_s, now_s, every_s, burst, cost)
    assert 0 <= answer.remaining <= burst
    assert 0 <= answer.reset_after_s <= every_s * burst * 1.01 + 1e-6
    if cost <= burst:
        assert answer.retry_after_s <= every_s * cost * 1.01 + 1e-6


def test_a_call_that_costs_more_than_the_burst_never_passes() -> None:
    due_s, answer = gcra(NEVER_S, 5.0, 1.0, 3, 4)
    assert answer == Answer(allowed=False, remaining=3, retry_after_s=math.inf, reset_after_s=0.0)
    assert due_s == 5.0


def test_a_cost_of_nothing_looks_and_takes_nothing() -> None:
    due_s, _ = gcra(NEVER_S, 5.0, 1.0, 3, 2)
    again_s, answer = gcra(due_s, 5.0, 1.0, 3, 0)
    assert again_s == due_s
    assert answer == Answer(allowed=True, remaining=1, retry_after_s=0.0, reset_after_s=2.0)


def test_of_several_limits_all_are_taken() -> None:
    asks = [Ask("a", 1.0, 2), Ask("b", 10.0, 5, 3)]
    dues_s, answers = gcra_all([NEVER_S, NEVER_S], asks, 100.0)
    assert dues_s == (101.0, 130.0)
    assert [one.remaining for one in answers] == [1, 2]


def test_of_several_limits_none_is_taken_where_one_refuses() -> None:
    """The others' answers are those before the call: nothing was taken from them."""
    asks = [Ask("a", 1.0, 2), Ask("b", 10.0, 1)]
    before_s = (100.5, 105.0)
    dues_s, answers = gcra_all(before_s, asks, 100.0)
    assert dues_s == before_s
    assert answers == (
        Answer(allowed=True, remaining=1, retry_after_s=0.0, reset_after_s=0.5),
        Answer(allowed=False, remaining=0, retry_after_s=5.0, reset_after_s=5.0),
    )


def test_the_errors_of_a_store_survive_a_pickle() -> None:
    away = pickle.loads(pickle.dumps(StoreUnavailable("no answer", begun=True)))  # noqa: S301  Our own.
    refused = pickle.loads(pickle.dumps(StoreRefused("OOM no room", code="OOM")))  # noqa: S301  Our own.
    assert (str(away), away.begun) == ("no answer", True)
    assert (str(refused), refused.begun, refused.code) == ("OOM no room", True, "OOM")


def test_a_refusal_after_the_clock_was_set_back_does_not_last_until_it_has_caught_up() -> None:
    """The bucket looks fuller than full; it stays full, and is emptied from now on."""
    ask = Ask("one", every_s=1.0, burst=2)
    hour_s = 3600.0
    (due_s,), (answer,) = gcra_all([hour_s + 2.0], [ask], 0.0)
    assert not answer.allowed
    assert due_s == 2.0
    _, (later,) = gcra_all([due_s], [ask], 1.0)
    assert later.allowed
