"""Traffic from samples: rates over the last interval, and a proxy that began anew."""

from mainstay.control.status import SAMPLES_MAX, Sample, Traffic, add, traffic


def sample(at_s: float, requests: int, errors: int = 0) -> Sample:
    return Sample(at_s=at_s, requests=requests, errors=errors, p50_ms=1.0, p99_ms=9.0)


def test_no_sample_is_no_traffic() -> None:
    assert traffic(()) == Traffic()


def test_one_sample_has_totals_and_no_rate() -> None:
    assert traffic((sample(5.0, 100, 3),)) == Traffic(requests=100, errors=3)


def test_rates_are_of_the_last_interval() -> None:
    found = traffic((sample(0.0, 0), sample(10.0, 100, 1), sample(12.0, 700, 5)))
    assert (found.per_s, found.errors_per_s) == (300.0, 2.0)
    assert (found.requests, found.p50_ms, found.p99_ms) == (700, 1.0, 9.0)


def test_a_proxy_that_began_anew_counts_from_zero() -> None:
    assert traffic((sample(10.0, 1000, 50), sample(12.0, 60, 2))).per_s == 30.0
    assert traffic((sample(10.0, 1000, 50), sample(12.0, 60, 2))).errors_per_s == 1.0


def test_rates_do_not_depend_on_how_often_somebody_looks() -> None:
    """At a constant rate every look tells it, though looks come milliseconds apart."""
    samples: tuple[Sample, ...] = ()
    for tick in range(2000):
        at_s = tick * 0.007
        samples = add(samples, sample(at_s, int(at_s * 100)))
        if at_s > 1.1:
            assert abs(traffic(samples).per_s - 100) < 2
    assert len(samples) <= SAMPLES_MAX


def test_without_requests_no_latency_is_told() -> None:
    assert traffic((sample(0.0, 7), sample(2.0, 7))).p99_ms is None
