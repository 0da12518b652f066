"""The adaptive limit, by the latencies it is shown."""

import math
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.service.inbound.admission.limiter import SAMPLES_MIN, WINDOW_S, Limiter
from mainstay.spec.shed import Shed

NOW_S = 1_000.0
BASE_S = 0.1


def no_strain(now_s: float) -> str | None:
    del now_s
    return None


class Shown:
    """A limiter, and the time that passes while it is shown windows.

    Args:
        known: Whether a baseline of ``BASE_S`` was measured with little in flight before.
    """

    def __init__(self, *, known: bool = True, **options: Any) -> None:
        self.now_s = NOW_S
        self.strain: str | None = None
        self.limiter = Limiter(Shed(**options), Random(1), NOW_S)
        if known:
            for _ in range(20):
                self.window(BASE_S, in_flight=1)
            assert self.limiter.baseline_s == pytest.approx(BASE_S)

    def window(self, latency_s: float, *, in_flight: int, turns: float = 1.0) -> float:
        """Show a window of equal answers from a server that does as Little's law says.

        Args:
            latency_s: Of each answer.
            in_flight: All the while.
            turns: How often at least each of them is answered and comes anew.

        Returns:
            The limit after it.
        """
        limiter = self.limiter
        limit = limiter.limit
        samples = max(SAMPLES_MIN, turns * in_flight, 1.5 * WINDOW_S * in_flight / latency_s)
        for _ in range(math.ceil(samples)):
            self.now_s += latency_s / in_flight
            limiter.done += 1
            limiter.sample(latency_s, in_flight, self.now_s)
        limiter.decide(lambda _: self.strain, in_flight, 1, self.now_s)
        while limiter.limit == limit and limiter._count != 0:
            # It looks again a little later.
            self.now_s += WINDOW_S / 4
            limiter.decide(lambda _: self.strain, in_flight, 1, self.now_s)
        return limiter.limit


@pytest.mark.parametrize("latency_s", [BASE_S, 10 * BASE_S])
def test_while_less_than_half_is_used_nothing_changes(latency_s: float) -> None:
    shown = Shown()
    assert shown.window(latency_s, in_flight=49) == 100
    assert shown.window(latency_s, in_flight=50) != 100


def test_it_grows_by_half_at_once_until_the_latency_rises_for_the_first_time() -> None:
    shown = Shown()
    assert shown.window(BASE_S, in_flight=100) == 150
    assert shown.window(BASE_S, in_flight=150) == 225
    assert shown.limiter.reason == "room"
    shrunk = shown.window(3 * BASE_S, in_flight=225)
    assert shrunk < 225
    assert shown.limiter.reason == "latency"
    grown = shown.window(BASE_S, in_flight=200)
    assert shrunk < grown < shrunk + math.sqrt(shrunk)


def test_it_grows_once_for_each_turn_of_its_places() -> None:
    few, many = Shown(limit=10), Shown(limit=10)
    for shown in (few, many):
        shown.window(3 * BASE_S, in_flight=10)
    at_once = few.limiter.limit
    few_more = few.window(BASE_S, in_flight=10) - at_once
    many_more = many.window(BASE_S, in_flight=10, turns=4) - at_once
    assert 0 < few_more < many_more <= at_once / 2


def test_it_tolerates_half_as_much_again() -> None:
    shown = Shown()
    assert shown.window(1.49 * BASE_S, in_flight=100) > 100
    assert Shown().window(1.7 * BASE_S, in_flight=100) < 100


@pytest.mark.parametrize("strain", ["cpu", "loop-lag"])
def test_under_strain_it_tolerates_nothing_and_says_why(strain: str) -> None:
    shown = Shown()
    shown.strain = strain
    assert shown.window(1.1 * BASE_S, in_flight=100) < 100
    assert shown.limiter.reason == strain


def test_strain_alone_shrinks_nothing() -> None:
    shown = Shown()
    shown.strain = "cpu"
    assert shown.window(BASE_S, in_flight=100) > 100


def test_one_window_at_most_halves_it() -> None:
    assert Shown().window(1_000 * BASE_S, in_flight=100) == 50


def test_it_stays_within_its_bounds() -> None:
    low, high = Shown(limit_min=40), Shown(limit_max=120)
    for _ in range(20):
        low.window(100 * BASE_S, in_flight=100)
        high.window(BASE_S, in_flight=120)
    assert low.limiter.limit == 40
    assert high.limiter.limit == 120


def test_it_begins_within_its_bounds() -> None:
    assert Limiter(Shed(limit_max=50), Random(1), NOW_S).limit == 50
    assert Limiter(Shed(limit_min=200), Random(1), NOW_S).limit == 200


@pytest.mark.parametrize("places", [2, 8, 64])
def test_it_settles_a_little_above_what_a_server_can_do(places: int) -> None:
    """A server with so many places: the latency grows by what is in flight beyond them."""
    shown = Shown()
    for _ in range(60):
        in_flight = int(shown.limiter.limit)
        shown.window(BASE_S * max(1.0, in_flight / places), in_flight=in_flight)
    assert places < shown.limiter.limit < 2 * places + 2


def test_requests_that_differ_much_take_more_answers_to_judge() -> None:
    shown = Shown()
    limiter = shown.limiter
    for nth in range(SAMPLES_MIN):
        shown.now_s += WINDOW_S
        limiter.done += 1
        limiter.sample(BASE_S * (20 if nth == 0 else 0.5), 100, shown.now_s)
    limiter.decide(no_strain, 100, 1, shown.now_s)
    assert limiter.limit == 100


def test_what_takes_too_long_to_come_together_is_forgotten() -> None:
    shown = Shown()
    limiter = shown.limiter
    limiter.sample(50 * BASE_S, 100, shown.now_s)
    limiter.decide(no_strain, 1, 1, shown.now_s + 61.0)
    shown.now_s += 61.0
    assert shown.window(BASE_S, in_flight=60) > 100


def test_the_baseline_rises_slowly_and_falls_faster() -> None:
    rises, falls = Shown(), Shown()
    for _ in range(10):
        rises.window(2 * BASE_S, in_flight=10)
        falls.window(BASE_S / 2, in_flight=10)
    rise_s = rises.limiter.baseline_s - BASE_S
    assert 0 < rise_s < 0.2 * BASE_S
    assert BASE_S - falls.limiter.baseline_s > 1.2 * rise_s


def test_the_first_answers_are_averaged_since_the_short_ones_come_first() -> None:
    shown = Shown(known=False)
    for latency_s in (0.2, 0.6, 1.0):
        shown.window(latency_s, in_flight=1)
    assert shown.limiter.baseline_s == pytest.approx(0.6, rel=0.2)


class Probed(Shown):
    """A limiter under pressure, until it measures its baseline, and the measurement."""

    def begin(self, latency_s: float) -> None:
        for _ in range(1_000):
            self.limiter.pressed = True
            self.window(latency_s, in_flight=int(self.limiter.limit))
            if self.limiter.probe is not None:
                return
        raise AssertionError("it never measured")

    def run(self, latency_s: float, *, seconds: float = 100.0) -> None:
        """Go on with as much in flight as it wants, each taking ``latency_s``."""
        probe = self.limiter.probe
        assert probe is not None
        ends_s = self.now_s + seconds
        while self.limiter.probe is not None and self.now_s < ends_s:
            self.now_s += latency_s / probe.limit
            self.limiter.done += 1
            self.limiter.decide(no_strain, probe.limit, 1, self.now_s)


def test_without_pressure_nothing_is_measured() -> None:
    shown = Shown()
    for _ in range(300):
        shown.window(BASE_S, in_flight=int(shown.limiter.limit))
        assert shown.limiter.probe is None


def test_under_lasting_pressure_the_baseline_is_measured_now_and_then() -> None:
    probed = Probed(limit_max=100)
    probed.begin(1.2 * BASE_S)
    assert probed.now_s - NOW_S > 10.0 * 0.85
    probe = probed.limiter.probe
    assert probe is not None
    assert probe.limit == 50
    probed.run(1.2 * BASE_S)
    assert probed.limiter.baseline_s == pytest.approx(1.2 * BASE_S)


def test_a_limit_that_was_halved_is_doubted_soon() -> None:
    probed = Probed()
    began_s = probed.now_s
    probed.begin(4 * BASE_S)
    assert probed.now_s - began_s < 5.0
    assert probed.limiter.limit <= 50


def test_a_limit_that_shrank_by_a_wrong_baseline_is_given_back() -> None:
    """Requests got longer, as they do with other work; nothing waits within the service."""
    probed = Probed()
    probed.begin(4 * BASE_S)
    assert probed.limiter.limit < 100
    probed.run(4 * BASE_S)
    assert probed.limiter.baseline_s == pytest.approx(4 * BASE_S)
    assert probed.limiter.limit == 100
    assert probed.window(4 * BASE_S, in_flight=100) > 100


def test_what_is_in_flight_from_before_is_not_measured() -> None:
    probed = Probed(limit_max=100)
    probed.begin(1.4 * BASE_S)
    probe = probed.limiter.probe
    assert probe is not None
    for in_flight in range(100, probe.limit, -1):
        probed.now_s += 0.01
        probed.limiter.done += 1
        probed.limiter.decide(no_strain, in_flight, 1, probed.now_s)
    assert probe.done == 0
    probed.run(BASE_S)
    assert probed.limiter.baseline_s == pytest.approx(BASE_S)


def test_a_measurement_ends_when_nobody_waits_any_more() -> None:
    probed = Probed(limit_max=100)
    probed.begin(1.2 * BASE_S)
    probe, baseline_s = probed.limiter.probe, probed.limiter.baseline_s
    assert probe is not None
    for waiting in (1, 0):
        probed.limiter.decide(no_strain, probe.limit, waiting, probed.now_s + 0.01)
        assert (probed.limiter.probe is None) == (not waiting)
    assert probed.limiter.baseline_s == baseline_s


def test_a_measurement_that_gets_nowhere_ends() -> None:
    probed = Probed(limit_max=100)
    probed.begin(1.2 * BASE_S)
    baseline_s = probed.limiter.baseline_s
    for _ in range(1_000):
        probed.now_s += 0.1
        probed.limiter.decide(no_strain, 100, 1, probed.now_s)
        if probed.limiter.probe is None:
            break
    assert probed.limiter.probe is None
    assert probed.limiter.baseline_s == baseline_s


def test_nothing_shrinks_on_a_guess_that_would_take_minutes_to_check() -> None:
    shown = Shown(known=False)
    limiter = shown.limiter
    for latency_s in (5.0, 60.0, 60.0, 60.0):
        limiter.pressed = True
        shown.window(latency_s, in_flight=100)
    assert limiter.latency_s > 1.5 * limiter.baseline_s
    assert limiter.limit >= 100
    assert limiter.probe is None


SAMPLES = st.lists(
    st.tuples(
        st.floats(0.0, 1e4),
        st.integers(1, 2_000),
        st.floats(0.0, 100.0),
        st.booleans(),
        st.sampled_from([None, "cpu", "loop-lag"]),
    ),
    max_size=200,
)


@given(samples=SAMPLES)
def test_whatever_it_is_shown_it_stays_a_limit(
    samples: list[tuple[float, int, float, bool, str | None]],
) -> None:
    limiter, now_s = Limiter(Shed(), Random(1), NOW_S), NOW_S
    for latency_s, in_flight, passes_s, pressed, strain in samples:
        now_s += passes_s
        limiter.done += 1
        limiter.pressed = pressed
        if limiter.sample(latency_s, in_flight, now_s) or limiter.probe is not None:
            limiter.decide(lambda _, strain=strain: strain, in_flight, 1, now_s)  # type: ignore[misc]
        assert 3 <= limiter.limit <= 1_000
        assert 0 <= limiter.baseline_s < math.inf
        assert limiter.probe is None or 1 <= limiter.probe.limit <= limiter.limit
