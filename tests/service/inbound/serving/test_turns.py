"""Threads take turns more often under overload, and while a probe is answered."""

import sys
from collections.abc import Iterator

import pytest

from mainstay.service.inbound.admission.events import LimitChanged, OverloadBegan, OverloadEnded
from mainstay.service.inbound.serving.turns import HURRIED_S, OVERLOADED_S, Turns

BEGAN = OverloadBegan(at_s=0.0, limit=8, waiting=3)
ENDED = OverloadEnded(at_s=0.0, duration_s=1.0, refused=3)
OTHER = LimitChanged(at_s=0.0, limit=8, before=4, reason="room", latency_s=0.1, baseline_s=0.1)


@pytest.fixture(autouse=True)
def usual_s() -> Iterator[float]:
    before_s = sys.getswitchinterval()
    sys.setswitchinterval(0.005)
    yield 0.005
    sys.setswitchinterval(before_s)


def test_an_overload_has_turns_taken_more_often_until_it_ends(usual_s: float) -> None:
    turns = Turns()
    turns.heard(OTHER)
    assert sys.getswitchinterval() == usual_s
    turns.heard(BEGAN)
    assert sys.getswitchinterval() == OVERLOADED_S
    turns.heard(OTHER)
    assert sys.getswitchinterval() == OVERLOADED_S
    turns.heard(ENDED)
    assert sys.getswitchinterval() == usual_s


@pytest.mark.parametrize(
    ("before", "within", "after_s"),
    [(None, None, 0.005), (None, BEGAN, OVERLOADED_S), (BEGAN, ENDED, 0.005)],
)
def test_a_probe_is_hurried_whatever_begins_and_ends_meanwhile(
    before: OverloadBegan | None, within: OverloadBegan | OverloadEnded | None, after_s: float
) -> None:
    turns = Turns()
    if before is not None:
        turns.heard(before)
    with turns.hurried():
        assert sys.getswitchinterval() == HURRIED_S
        if within is not None:
            turns.heard(within)
        assert sys.getswitchinterval() == HURRIED_S
    assert sys.getswitchinterval() == after_s


def test_what_somebody_else_sets_is_the_usual_one_from_then_on() -> None:
    turns = Turns()
    with turns.hurried():
        sys.setswitchinterval(0.02)
    assert sys.getswitchinterval() == 0.02
    turns.heard(BEGAN)
    assert sys.getswitchinterval() == OVERLOADED_S
    turns.heard(ENDED)
    assert sys.getswitchinterval() == 0.02
    sys.setswitchinterval(0.01)
    with turns.hurried():
        assert sys.getswitchinterval() == HURRIED_S
    assert sys.getswitchinterval() == 0.01


def test_who_takes_turns_more_often_anyway_is_left_alone() -> None:
    sys.setswitchinterval(0.0001)
    own_s, turns = sys.getswitchinterval(), Turns()
    for _ in range(3):
        with turns.hurried():
            turns.heard(BEGAN)
            assert sys.getswitchinterval() == own_s
        assert sys.getswitchinterval() == own_s
