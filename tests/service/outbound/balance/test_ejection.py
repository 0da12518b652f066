"""Who leaves, for how long, how many: the laws of ejection."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.service.outbound.balance.ejection import (
    Ejection,
    Reason,
    away_max,
    eject,
    ejection_time_s,
    reason_to_eject,
    reinstate,
    slow_start_share,
)
from mainstay.service.outbound.balance.endpoint import Endpoint
from mainstay.service.outbound.balance.member import Member


def member() -> Member:
    return Member(Endpoint(host="10.0.0.1", port=80), serving_since_s=0.0)


@given(share=st.floats(0, 1), members=st.integers(0, 1_000))
def test_never_more_than_the_share_and_never_the_last(share: float, members: int) -> None:
    away = away_max(Ejection(share_max=share), members)
    assert 0 <= away <= max(0, members - 1)
    assert away <= share * members + 1e-6
    # And not needlessly few: one more would break a law.
    assert away + 1 > share * members - 1e-6 or away == max(0, members - 1)


@pytest.mark.parametrize(
    ("share", "members", "away"), [(0.5, 1, 0), (0.5, 2, 1), (0.5, 3, 1), (0.1, 10, 1), (1, 3, 2)]
)
def test_known_shares(share: float, members: int, away: int) -> None:
    assert away_max(Ejection(share_max=share), members) == away


@given(nth=st.integers(1, 10_000), time_s=st.floats(0.1, 100), factor=st.floats(1, 50))
def test_the_time_away_grows_up_to_its_bound(nth: int, time_s: float, factor: float) -> None:
    ejection = Ejection(time_s=time_s, time_max_s=time_s * factor)
    now, then = ejection_time_s(ejection, nth), ejection_time_s(ejection, nth + 1)
    assert time_s <= now <= then <= ejection.time_max_s
    assert then == ejection.time_max_s or then == pytest.approx(now + time_s)


def test_each_ejection_is_longer_until_it_served_well_for_long() -> None:
    ejection = Ejection(time_s=10, time_max_s=60)
    bad = member()
    now_s = 5.0
    times = []
    for _ in range(8):
        times.append(eject(ejection, bad, now_s))
        now_s += times[-1]
        reinstate(bad, now_s)
        now_s += 59.0
    assert times == [10, 20, 30, 40, 50, 60, 60, 60]
    assert eject(ejection, bad, now_s + 1.0) == 10


def test_a_streak_ejects() -> None:
    ejection = Ejection(failures=3, share=None)
    bad = member()
    bad.streak = 2
    assert reason_to_eject(ejection, bad, 0.0) is None
    bad.streak = 3
    assert reason_to_eject(ejection, bad, 0.0) is Reason.STREAK


def test_a_share_ejects_from_a_minimum_of_calls() -> None:
    """Failures that are never in a row are seen as well."""
    ejection = Ejection(failures=3, share=0.5, calls_min=10, window_s=30)
    bad = member()
    for call in range(9):
        bad.share.record(call % 2, 1.0, 30)
    assert reason_to_eject(ejection, bad, 1.0) is None
    bad.share.record(1, 1.0, 30)
    assert reason_to_eject(ejection, bad, 1.0) is Reason.SHARE
    assert reason_to_eject(ejection, bad, 60.0) is None, "the window has passed"


def test_below_the_share_nobody_is_ejected() -> None:
    """Two of five calls fail, for ever: below a half, however many they are."""
    ejection = Ejection(failures=3, share=0.5, calls_min=10)
    bad = member()
    for call in range(500):
        bad.share.record(call % 5 > 2, 1.0, 30)
        assert reason_to_eject(ejection, bad, 1.0) is None


def test_a_returner_has_a_clean_record_but_its_number() -> None:
    ejection = Ejection(calls_min=1)
    bad = member()
    bad.streak = 5
    bad.share.record(1, 1.0, 30)
    eject(ejection, bad, 1.0)
    reinstate(bad, 11.0)
    assert (bad.streak, bad.ejections, bad.ejected_until_s) == (0, 1, None)
    assert reason_to_eject(ejection, bad, 11.0) is None


def test_slow_start_is_a_straight_line_from_a_tenth() -> None:
    ejection = Ejection(slow_start_s=10)
    shares = [slow_start_share(ejection, member(), float(second)) for second in range(0, 13, 2)]
    assert shares == [0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.0]
    assert slow_start_share(Ejection(), member(), 0.0) == 1.0


@pytest.mark.parametrize(
    "wrong",
    [
        {"failures": 0},
        {"calls_min": 0},
        {"share": 0.0},
        {"share": 1.1},
        {"share_max": -0.1},
        {"share_max": math.nan},
        {"time_s": 0.0},
        {"time_s": 400.0},
        {"time_max_s": math.inf},
        {"window_s": 0.0},
        {"slow_start_s": -1.0},
        {"slow_start_s": math.nan},
    ],
)
def test_nonsense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"shares|at least|above"):
        Ejection(**wrong)  # type: ignore[arg-type]  # A mapping's values have one type.
