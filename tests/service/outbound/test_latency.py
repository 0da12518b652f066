import sys
from random import Random

import pytest

from mainstay.core.clock import SYSTEM_CLOCK
from mainstay.service.outbound.attempt_timeout import AttemptTimeout, Bound
from mainstay.service.outbound.hedge import Hedge, delay_s, percentile_of
from mainstay.service.outbound.latency import SAMPLES_MIN, Latency


def filled(times_s: list[float]) -> Latency:
    latency = Latency()
    for took_s in times_s:
        latency.record(took_s)
    return latency


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("mean_s", [0.0005, 0.03, 2.0])
def test_percentiles_are_within_ten_percent(share: float, mean_s: float) -> None:
    rng = Random(3)
    times_s = [rng.expovariate(1 / mean_s) for _ in range(900)]
    exact_s = sorted(times_s)[int(share * 900)]
    assert filled(times_s).percentile_s(share) == pytest.approx(exact_s, rel=0.12)


def test_too_few_calls_say_nothing() -> None:
    latency = filled([0.01] * (SAMPLES_MIN - 1))
    assert latency.percentile_s(0.99) is None
    latency.record(0.01)
    assert latency.percentile_s(0.99) is not None


def test_old_days_are_forgotten() -> None:
    latency = filled([1.0] * 5000 + [0.01] * 2000)
    assert latency.percentile_s(0.99) == pytest.approx(0.01, rel=0.12)


@pytest.mark.parametrize("took_s", [0.0, -1.0, 1e-12, 1e12])
def test_the_shortest_and_the_longest_count_at_the_ends(took_s: float) -> None:
    found_s = filled([took_s] * 100).percentile_s(0.5)
    assert found_s is not None
    assert 0 < found_s < 4000


def test_it_does_not_grow() -> None:
    latency = filled([0.01] * 3000)
    size = sum(sys.getsizeof(getattr(latency, slot)) for slot in ("_fresh", "_old"))
    assert size < 1200


def bound_after(times_s: list[float], options: AttemptTimeout) -> Bound:
    bound = Bound(options, SYSTEM_CLOCK)
    bound.adapt(filled(times_s))
    return bound


def test_auto_is_three_times_the_99th_percentile() -> None:
    bound = bound_after([0.1] * 200, AttemptTimeout(within="auto"))
    assert bound.timeout_s == pytest.approx(0.3, rel=0.12)


def test_auto_keeps_between_its_floor_and_its_ceiling() -> None:
    options = AttemptTimeout(within="auto", floor="50ms", ceiling="2s")
    assert bound_after([0.001] * 200, options).timeout_s == 0.05
    assert bound_after([5.0] * 200, options).timeout_s == 2.0


def test_auto_is_the_ceiling_while_too_little_is_known() -> None:
    assert bound_after([0.001] * 10, AttemptTimeout(ceiling="7s")).timeout_s == 7.0


def test_a_fixed_bound_learns_nothing() -> None:
    assert bound_after([0.001] * 200, AttemptTimeout(within="1s")).timeout_s == 1.0


def test_a_hedge_by_percentile_waits_until_it_knows_enough() -> None:
    hedge = Hedge(after="p95", floor="1ms")
    assert delay_s(hedge, filled([0.1] * 10)) is None
    assert delay_s(hedge, filled([0.1] * 100)) == pytest.approx(0.1, rel=0.12)
    assert delay_s(Hedge(after="20ms"), None) == 0.02
    assert percentile_of("p99.9") == pytest.approx(0.999)
