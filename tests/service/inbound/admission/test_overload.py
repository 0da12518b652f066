"""Overload in virtual time: with admission the service does what it can; without it collapses."""

import pytest
from tests.service.inbound.admission.made import CRITICAL, LOW, MEDIUM
from tests.service.inbound.admission.server import (
    MEAN_S,
    PLACES,
    Duration,
    equal,
    exponential,
    mixed,
    simulate,
)

from mainstay.service.inbound.admission import LimitChanged, OverloadBegan, OverloadEnded
from mainstay.spec.shed import Priorities, Shed

RANKED = Shed(priorities=Priorities(critical=("/checkout",), low=("/reports",)))
WARM_S, OVERLOAD_S = 5, 60
END_S = WARM_S + OVERLOAD_S


def tenfold(elapsed_s: float) -> float:
    """Half of what can be done, then ten times as much for a minute, then half of it again."""
    return 10.0 if WARM_S <= elapsed_s < END_S else 0.5


@pytest.mark.parametrize("duration", [equal, exponential])
def test_ten_times_the_capacity_for_a_minute(duration: Duration) -> None:
    alone = simulate(RANKED, lambda _: 0.3, 150, duration=duration)
    outcome = simulate(RANKED, tenfold, END_S + 10, duration=duration)
    assert outcome.goodput(WARM_S, END_S) >= 0.9
    # Alone, all priorities are the same.
    unloaded_s = alone.p99_s(MEDIUM, 0, 150)
    assert outcome.p99_s(CRITICAL, WARM_S, END_S) <= 3 * unloaded_s
    assert max(outcome.in_flight.values()) <= RANKED.limit
    assert outcome.waiting <= RANKED.queue
    # After the first moments it holds little more than it can work on.
    assert max(outcome.in_flight[nth] for nth in range(WARM_S + 5, END_S)) <= 4 * PLACES
    # It is over as soon as it is over.
    assert sum(outcome.refused[nth] for nth in range(END_S + 1, END_S + 10)) == 0
    assert outcome.p99_s(MEDIUM, END_S + 1, END_S + 10) <= 2 * alone.p99_s(MEDIUM, 0, 150)
    assert outcome.recorder.count(OverloadBegan) == outcome.recorder.count(OverloadEnded) >= 1


def test_without_admission_the_same_load_is_the_end() -> None:
    outcome = simulate(None, tenfold, END_S)
    assert outcome.goodput(0, WARM_S) > 0.4
    assert outcome.goodput(WARM_S + 5, END_S) < 0.05


def test_requests_that_differ_much_are_no_overload_to_it() -> None:
    """What one in ten takes forty times as long for looks like a queue, and is none."""
    outcome = simulate(RANKED, tenfold, END_S, duration=mixed)
    assert outcome.goodput(WARM_S, END_S) >= 0.8


def test_who_matters_least_is_turned_away_first() -> None:
    outcome = simulate(RANKED, lambda t: 2.0 if t > WARM_S else 0.5, 45)
    share = {
        priority: len([at_s for at_s, _ in outcome.latencies_s[priority] if at_s > WARM_S])
        for priority in (CRITICAL, MEDIUM, LOW)
    }
    offered = 2.0 * PLACES / MEAN_S * 40
    assert share[CRITICAL] > 0.9 * 0.03 * offered
    assert share[LOW] < 0.1 * 0.10 * offered
    assert 0.4 * 0.87 * offered < share[MEDIUM] < 0.6 * 0.87 * offered


@pytest.mark.parametrize("duration", [equal, exponential])
def test_a_service_that_is_busy_but_well_is_left_alone(duration: Duration) -> None:
    outcome = simulate(Shed(), lambda _: 0.8, 60, duration=duration)
    assert sum(outcome.refused.values()) == 0
    assert outcome.recorder.count(LimitChanged) == 0


def test_a_process_that_begins_under_overload_finds_its_limit() -> None:
    outcome = simulate(RANKED, lambda _: 10.0, 30)
    assert outcome.goodput(0, 30) >= 0.9
    assert max(outcome.in_flight[nth] for nth in range(10, 30)) <= 4 * PLACES


def test_a_service_that_gets_slower_for_good_finds_its_limit_anew() -> None:
    """Each request takes four times as long from some moment on; overload lasts all the while."""
    passed = [0]

    def slower(rng: object) -> float:
        del rng
        passed[0] += 1
        return MEAN_S if passed[0] < 20 * PLACES / MEAN_S else 4 * MEAN_S

    outcome = simulate(RANKED, lambda t: 0.5 if t < WARM_S else 5.0, 60, duration=slower)
    assert outcome.goodput(10, 18) >= 0.9
    assert outcome.goodput(40, 60) >= 0.9 / 4
