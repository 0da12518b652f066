"""Who can be called, whatever happens in whatever order."""

import math
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.service.outbound.balance.ejection import Ejection, away_max
from mainstay.service.outbound.balance.endpoint import Endpoint
from mainstay.service.outbound.balance.roster import ENDPOINTS_MAX, Roster

POOL = tuple(Endpoint(host=f"10.0.0.{index}", port=80) for index in range(8))


@dataclass(frozen=True)
class Answered:
    index: int
    failed: bool


@dataclass(frozen=True)
class Passed:
    seconds: float


@dataclass(frozen=True)
class Replaced:
    wanted: frozenset[int]


Step = Answered | Passed | Replaced
STEPS = st.lists(
    st.one_of(
        # Mostly failures, else nobody is ever ejected.
        st.builds(Answered, st.integers(0, 7), st.sampled_from([True, True, True, False])),
        st.builds(Passed, st.floats(0, 12)),
        st.builds(Replaced, st.frozensets(st.integers(0, 7))),
    ),
    max_size=80,
)


def laws_hold(roster: Roster, ejection: Ejection, now_s: float) -> None:
    members = list(roster.members.values())
    away = [member for member in members if member.ejected_until_s is not None]
    assert list(roster.serving) == [member for member in members if member not in away]
    assert len(away) <= away_max(ejection, len(members))
    assert bool(roster.serving) == bool(members), "the last one is never ejected"
    assert roster.return_at_s == min((m.ejected_until_s or 0.0 for m in away), default=math.inf)
    assert all(
        member.ejected_until_s is None or member.ejected_until_s <= now_s + ejection.time_max_s
        for member in members
    ), "no ejection is longer than its bound"


@given(
    steps=STEPS,
    share_max=st.sampled_from([0.0, 0.3, 0.5, 1.0]),
    failures=st.integers(1, 3),
)
def test_the_laws_hold_after_every_step(steps: list[Step], share_max: float, failures: int) -> None:
    """And each ejection has its streak, counted by a naive model."""
    ejection = Ejection(failures=failures, share=None, share_max=share_max, time_max_s=30)
    roster = Roster(ejection)
    roster.replace(POOL[:4], 0.0)
    streaks = dict.fromkeys(POOL, 0)
    now_s = 0.0
    for step in steps:
        match step:
            case Passed(seconds):
                now_s += seconds
                for endpoint in roster.return_due(now_s):
                    streaks[endpoint] = 0
            case Replaced(wanted):
                change = roster.replace([POOL[index] for index in sorted(wanted)], now_s)
                for endpoint in change.returned:
                    streaks[endpoint] = 0
            case Answered(index, failed):
                member = roster.members.get(POOL[index])
                if member is None or member.ejected_until_s is not None:
                    continue
                streaks[POOL[index]] = streaks[POOL[index]] + 1 if failed else 0
                room = len(roster.members) - len(roster.serving) < away_max(
                    ejection, len(roster.members)
                )
                ejected = roster.failed(member, now_s) if failed else None
                if not failed:
                    roster.succeeded(member, now_s)
                expected = failed and room and streaks[POOL[index]] >= failures
                assert (ejected is not None) == expected
        laws_hold(roster, ejection, now_s)


def test_nobody_is_away_for_ever() -> None:
    """Whoever was ejected serves again once its time is over, however often it was."""
    roster = Roster(Ejection(failures=1, share=None))
    roster.replace(POOL[:2], 0.0)
    bad = roster.members[POOL[0]]
    now_s = 0.0
    for nth in range(1, 50):
        ejected = roster.failed(bad, now_s)
        assert ejected is not None
        assert ejected.nth == nth
        assert roster.serving == (roster.members[POOL[1]],)
        now_s += ejected.away_s
        assert roster.return_due(now_s - 0.001) == ()
        assert roster.return_due(now_s) == (POOL[0],)
        assert bad in roster.serving


def test_who_leaves_and_comes_back_keeps_the_record() -> None:
    """A name server that shuffles its answers must not launder an endpoint that fails."""
    roster = Roster(Ejection(failures=2, share=None))
    roster.replace(POOL[:3], 0.0)
    bad = roster.members[POOL[0]]
    bad.active = 7
    roster.failed(bad, 0.0)
    roster.replace(POOL[1:3], 1.0)
    roster.replace(POOL[:3], 2.0)
    assert roster.members[POOL[0]] is bad
    assert bad.active == 7
    assert roster.failed(bad, 2.0) is not None


def test_what_is_remembered_of_leavers_is_bounded() -> None:
    roster = Roster(None)
    for number in range(3):
        roster.replace(
            [Endpoint(host=f"h{number}-{index}", port=80) for index in range(ENDPOINTS_MAX)], 0.0
        )
    assert len(roster._departed) == ENDPOINTS_MAX


def test_one_that_has_left_is_nobodys_outlier() -> None:
    roster = Roster(Ejection(failures=1, share=None))
    roster.replace(POOL[:3], 0.0)
    gone = roster.members[POOL[0]]
    roster.replace(POOL[1:3], 1.0)
    assert roster.failed(gone, 1.0) is None
    assert len(roster.serving) == 2


def test_a_new_weight_is_taken() -> None:
    roster = Roster(None)
    roster.replace(POOL[:1], 0.0)
    change = roster.replace([Endpoint(host=POOL[0].host, port=80, weight=4)], 1.0)
    assert (change.added, change.removed) == ((), ())
    assert [member.weight for member in roster.serving] == [4]


@pytest.mark.parametrize(
    "wrong",
    [
        [POOL[0], POOL[0]],
        [Endpoint(host=f"h{index}", port=80) for index in range(ENDPOINTS_MAX + 1)],
    ],
)
def test_a_wrong_set_changes_nothing(wrong: list[Endpoint]) -> None:
    roster = Roster(None)
    roster.replace(POOL[:2], 0.0)
    with pytest.raises(ValueError, match=r"twice|more than"):
        roster.replace(wrong, 1.0)
    assert [member.endpoint for member in roster.serving] == list(POOL[:2])
