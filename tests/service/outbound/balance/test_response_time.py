"""The faster is preferred, bad news counts at once, and nobody is forgotten."""

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.service.outbound.balance.endpoint import Endpoint
from mainstay.service.outbound.balance.lease import CANCELLED, FAILED, SUCCEEDED
from mainstay.service.outbound.balance.member import Member
from mainstay.service.outbound.balance.response_time import LeastResponseTime


def make(count: int = 2) -> tuple[LeastResponseTime, list[Member]]:
    members = [Member(Endpoint(host=f"10.0.0.{index}", port=80)) for index in range(count)]
    return LeastResponseTime(Random(1)), members


def picked(picker: LeastResponseTime, members: list[Member], now_s: float) -> set[int]:
    return {members.index(picker.pick(members, now_s, None)) for _ in range(50)}


def test_of_two_the_faster() -> None:
    picker, members = make()
    picker.learn(members[0], SUCCEEDED, 0.100, 0.0)
    picker.learn(members[1], SUCCEEDED, 0.010, 0.0)
    assert picked(picker, members, 0.0) == {1}


def test_load_outweighs_speed() -> None:
    """Ten calls wait at the fast one: the slow one would answer sooner."""
    picker, members = make()
    picker.learn(members[0], SUCCEEDED, 0.100, 0.0)
    picker.learn(members[1], SUCCEEDED, 0.010, 0.0)
    members[1].active = 10
    assert picked(picker, members, 0.0) == {0}


@given(answers=st.lists(st.floats(0.001, 10), min_size=1, max_size=30), steps=st.floats(0, 5))
def test_a_peak_counts_at_once_and_an_average_stays_within(
    answers: list[float], steps: float
) -> None:
    """Laws of the average: never above the slowest, never below the fastest, a peak as it is."""
    picker, (member, _) = make()
    for index, answer_s in enumerate(answers):
        before_s = member.cost_s
        picker.learn(member, SUCCEEDED, answer_s, index * steps)
        if answer_s > before_s:
            assert member.cost_s == answer_s
        low_s, high_s = min(answers[: index + 1]), max(answers[: index + 1])
        assert low_s * (1 - 1e-9) <= member.cost_s <= high_s * (1 + 1e-9)


def test_a_peak_fades_by_its_time_constant() -> None:
    picker, (member, _) = make()
    picker.learn(member, SUCCEEDED, 1.0, 0.0)
    picker.learn(member, SUCCEEDED, 0.0, 10.0)
    assert member.cost_s == pytest.approx(1 / math.e)


def test_an_unknown_one_gets_one_call_at_a_time() -> None:
    """Not nothing, else it stays unknown; not all, for nobody knows whether it works."""
    picker, members = make()
    picker.learn(members[0], SUCCEEDED, 0.010, 0.0)
    assert picked(picker, members, 0.0) == {1}
    members[1].active = 1
    assert picked(picker, members, 0.0) == {0}


def test_failing_fast_is_not_fast() -> None:
    picker, members = make()
    picker.learn(members[0], SUCCEEDED, 0.100, 0.0)
    for _ in range(5):
        picker.learn(members[1], FAILED, 0.001, 0.0)
    assert picked(picker, members, 0.0) == {0}


def test_a_timeout_is_as_slow_as_it_was() -> None:
    """Else one that times out after five seconds would look better than one that takes two."""
    picker, members = make()
    picker.learn(members[0], SUCCEEDED, 2.0, 0.0)
    picker.learn(members[1], FAILED, 5.0, 0.0)
    assert picked(picker, members, 0.0) == {0}


def test_a_call_given_up_is_at_least_as_slow_as_it_lasted() -> None:
    """Hedged calls to a slow one are always cancelled: it must be found out all the same."""
    picker, members = make()
    picker.learn(members[0], SUCCEEDED, 0.010, 0.0)
    picker.learn(members[1], CANCELLED, 0.100, 0.0)
    assert picked(picker, members, 0.0) == {0}
    picker.learn(members[0], CANCELLED, 0.001, 5.0)
    assert members[0].cost_s == 0.010, "it might have taken long: nothing is known"
    assert members[0].observed_s == 0.0


@pytest.mark.parametrize("lasted_s", [math.nan, -1.0, math.inf])
def test_what_is_no_duration_poisons_nothing(lasted_s: float) -> None:
    picker, (member, _) = make()
    picker.learn(member, SUCCEEDED, lasted_s, 0.0)
    assert 0.0 <= member.cost_s <= 3_600.0


def test_a_slow_one_is_tried_again() -> None:
    """Ten times slower: forgiven after a little more than twice the time constant.

    On a machine that has been up for long: the fading is by time passed, not by the time it is.
    """
    picker, members = make()
    up_s = 1e7
    picker.learn(members[0], SUCCEEDED, 0.100, up_s)
    for second in range(40):
        picker.learn(members[1], SUCCEEDED, 0.010, up_s + second)
        if second < 22 or second > 24:
            assert picked(picker, members, up_s + second) == ({1} if second < 23 else {0})


@pytest.mark.parametrize("wrong", [{"decay_s": 0.0}, {"decay_s": math.inf}, {"failure_s": 0.0}])
def test_nonsense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="positive seconds"):
        LeastResponseTime(Random(1), **wrong)


def test_weight_divides_the_load() -> None:
    picker = LeastResponseTime(Random(1))
    members = [
        Member(Endpoint(host="light", port=80, weight=1)),
        Member(Endpoint(host="heavy", port=80, weight=3)),
    ]
    for member in members:
        picker.learn(member, SUCCEEDED, 0.010, 0.0)
    members[1].active = 1
    assert picked(picker, members, 0.0) == {1}, "2 calls by 3 is less than 1 call by 1"
    members[1].active = 3
    assert picked(picker, members, 0.0) == {0}
