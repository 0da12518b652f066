"""Load decides: the least of all is the least, and two choices are nearly as good."""

from collections import Counter
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from mainstay.service.outbound.balance.endpoint import Endpoint
from mainstay.service.outbound.balance.least_requests import LeastRequests, TwoChoices, two_of
from mainstay.service.outbound.balance.member import Member

LOADED = st.lists(st.tuples(st.integers(1, 10), st.integers(0, 30)), min_size=1, max_size=12)


def members_of(loaded: list[tuple[int, int]]) -> list[Member]:
    members = []
    for index, (weight, active) in enumerate(loaded):
        member = Member(Endpoint(host=f"10.0.0.{index}", port=80, weight=weight))
        member.active = active
        members.append(member)
    return members


@given(loaded=LOADED, seed=st.integers())
def test_nobody_is_less_loaded(loaded: list[tuple[int, int]], seed: int) -> None:
    """Against the naive model: the least of calls in flight by weight."""
    picker = LeastRequests(Random(seed))
    members = members_of(loaded)
    for _ in range(len(members)):
        picked = picker.pick(members, 0.0, None)
        assert picked.active * picked.unit == min(one.active * one.unit for one in members)


@given(count=st.integers(1, 12), active=st.integers(0, 3), seed=st.integers())
def test_equals_take_turns(count: int, active: int, seed: int) -> None:
    picker = LeastRequests(Random(seed))
    members = members_of([(1, active)] * count)
    assert len({id(picker.pick(members, 0.0, None)) for _ in range(count)}) == count


def test_load_settles_at_the_weights() -> None:
    picker = LeastRequests(Random(1))
    members = members_of([(1, 0), (2, 0), (5, 0)])
    for _ in range(800):
        picker.pick(members, 0.0, None).active += 1
    assert [member.active for member in members] == [100, 200, 500]


@given(count=st.integers(2, 40))
def test_every_ordered_pair_is_as_likely(count: int) -> None:
    members = members_of([(1, 0)] * count)
    pairs = count * (count - 1)
    drawn = Counter(
        tuple(members.index(one) for one in two_of(members, (step + 0.5) / pairs))
        for step in range(pairs)
    )
    assert len(drawn) == pairs
    assert all(one != other for one, other in drawn)


@given(count=st.integers(1, 50), draw=st.sampled_from([0.0, 1.0 - 2**-53]))
def test_the_ends_of_a_draw_are_members(count: int, draw: float) -> None:
    members = members_of([(1, 0)] * count)
    one, other = two_of(members, draw)
    assert one in members
    assert other in members
    assert (one is other) == (count == 1)


def skew_of(picks: int, count: int, *, choices: int) -> int:
    """Return how much more than the mean the fullest has, with one or two random choices."""
    rng = Random(3)
    picker = TwoChoices(rng)
    members = members_of([(1, 0)] * count)
    for _ in range(picks):
        member = picker.pick(members, 0.0, None) if choices == 2 else rng.choice(members)
        member.active += 1
    return max(member.active for member in members) - picks // count


def test_two_choices_keep_the_load_even() -> None:
    """The gap stays at a few calls however many there are; with one choice it grows."""
    assert skew_of(20_000, 10, choices=2) <= 5
    assert skew_of(20_000, 10, choices=1) > 25


@given(loaded=LOADED, seed=st.integers())
def test_two_choices_never_take_the_most_loaded(loaded: list[tuple[int, int]], seed: int) -> None:
    """The only most loaded one, by weight, loses against whomever it is drawn with."""
    picker = TwoChoices(Random(seed))
    members = members_of(loaded)
    most = max(members, key=lambda one: one.active * one.unit)
    alone = sum(one.active * one.unit == most.active * most.unit for one in members) == 1
    picked = {id(picker.pick(members, 0.0, None)) for _ in range(20)}
    assert (id(most) not in picked) or not alone or len(members) == 1
