"""Turns are even, and weighted turns are exact."""

from collections import Counter
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from mainstay.service.outbound.balance.endpoint import Endpoint
from mainstay.service.outbound.balance.member import Member
from mainstay.service.outbound.balance.rotation import RoundRobin, Weighted


def members_of(weights: list[int]) -> list[Member]:
    return [
        Member(Endpoint(host=f"10.0.0.{index}", port=80, weight=weight))
        for index, weight in enumerate(weights)
    ]


def ports_of(members: list[Member], picker: RoundRobin | Weighted, picks: int) -> list[int]:
    return [members.index(picker.pick(members, 0.0, None)) for _ in range(picks)]


@given(count=st.integers(1, 20), rounds=st.integers(1, 5), seed=st.integers())
def test_round_robin_visits_all_before_anyone_again(count: int, rounds: int, seed: int) -> None:
    picked = ports_of(members_of([1] * count), RoundRobin(Random(seed)), count * rounds)
    for begin in range(len(picked) - count + 1):
        assert len(set(picked[begin : begin + count])) == count


def test_round_robin_does_not_begin_with_the_same_everywhere() -> None:
    """A hundred clients that start at once would all call the first endpoint first."""
    members = members_of([1] * 10)
    first = Counter(ports_of(members, RoundRobin(Random(seed)), 1)[0] for seed in range(200))
    assert len(first) == 10


@given(weights=st.lists(st.integers(1, 12), min_size=1, max_size=6))
def test_weighted_is_exact_in_every_window_of_a_cycle(weights: list[int]) -> None:
    """Whichever run of as many picks as the weights add up to: each has exactly its weight."""
    cycle = sum(weights)
    picked = ports_of(members_of(weights), Weighted(), cycle * 3)
    for begin in range(cycle * 2 + 1):
        counted = Counter(picked[begin : begin + cycle])
        assert [counted[index] for index in range(len(weights))] == weights


@given(weights=st.lists(st.integers(1, 100), min_size=2, max_size=8))
def test_weighted_never_lags_far_behind(weights: list[int]) -> None:
    """Smooth: at no moment has anyone had a whole pick per member too many or too few."""
    cycle = sum(weights)
    counted: Counter[int] = Counter()
    for done, index in enumerate(ports_of(members_of(weights), Weighted(), cycle), start=1):
        counted[index] += 1
        for member, weight in enumerate(weights):
            assert abs(counted[member] - done * weight / cycle) < len(weights)


def test_weighted_spreads_the_turns_of_the_heavy_one() -> None:
    """The documented example of nginx."""
    picked = ports_of(members_of([5, 1, 1]), Weighted(), 7)
    assert picked == [0, 0, 1, 0, 2, 0, 0]
