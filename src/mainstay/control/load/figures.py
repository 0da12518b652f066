"""Latencies: recorded in HDR histograms, summed up in a few figures."""

from bisect import bisect_left
from dataclasses import dataclass

from hdrh.histogram import HdrHistogram

LATENCY_US_MAX = 60_000_000
"""Longest latency that is told apart, in microseconds; timeouts are at most as long."""
_DECADES_MS = (0.01, 0.1, 1.0, 10.0, 100.0, 1000.0, 10_000.0)
BUCKETS_MS = (*(round(low * step, 2) for low in _DECADES_MS for step in (1, 2, 5)), 60_000.0)
"""Upper bounds of the drawn histogram: 0.01, 0.02, 0.05 … 50,000, 60,000 ms."""
_PERCENTILES = (50.0, 75.0, 90.0, 95.0, 99.0, 99.9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """A distribution of durations in milliseconds, each exact to three digits."""

    count: int
    min_ms: float
    mean_ms: float
    p50_ms: float
    p75_ms: float
    p90_ms: float
    p95_ms: float
    p99_ms: float
    p99_9_ms: float
    max_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """How many durations were at most ``upto_ms`` and above the bucket before."""

    upto_ms: float
    count: int


class Durations:
    """Records durations from 1 µs to 60 s; a longer one counts as 60 s.

    Args:
        digits: Significant digits, 1 to 5; 3 need 140 KiB, 2 need 20 KiB.
    """

    __slots__ = ("_histogram",)

    def __init__(self, *, digits: int = 3) -> None:
        self._histogram = HdrHistogram(1, LATENCY_US_MAX, digits)

    def record(self, duration_s: float) -> None:
        """Record one; measured: 0.7 µs."""
        self._histogram.record_value(min(max(int(duration_s * 1e6), 1), LATENCY_US_MAX))

    def add(self, other: "Durations") -> None:
        """Add what another one of the same digits has recorded."""
        self._histogram.add(other._histogram)  # noqa: SLF001  Of this class.

    @property
    def count(self) -> int:
        """How many were recorded."""
        return int(self._histogram.get_total_count())

    def percentile_ms(self, percentile: float) -> float | None:
        """Return the value below which ``percentile`` % of the durations are; None of none."""
        if not self.count:
            return None
        return float(self._histogram.get_value_at_percentile(percentile)) / 1000

    def figures(self) -> Figures | None:
        """Return the figures, or None if nothing was recorded."""
        if not self.count:
            return None
        histogram = self._histogram
        values = histogram.get_percentile_to_value_dict(list(_PERCENTILES))
        p50, p75, p90, p95, p99, p99_9 = (values[percent] / 1000 for percent in _PERCENTILES)
        return Figures(
            count=self.count,
            min_ms=histogram.get_min_value() / 1000,
            mean_ms=round(histogram.get_mean_value() / 1000, 6),
            p50_ms=p50,
            p75_ms=p75,
            p90_ms=p90,
            p95_ms=p95,
            p99_ms=p99,
            p99_9_ms=p99_9,
            max_ms=histogram.get_max_value() / 1000,
        )

    def buckets(self) -> tuple[Bucket, ...]:
        """Return the counts by ``BUCKETS_MS``, from the first bucket with any to the last."""
        counts = [0] * len(BUCKETS_MS)
        for item in self._histogram.get_recorded_iterator():
            bucket = bisect_left(BUCKETS_MS, item.value_iterated_to / 1000)
            counts[min(bucket, len(counts) - 1)] += item.count_at_value_iterated_to
        used = [index for index, count in enumerate(counts) if count]
        if not used:
            return ()
        return tuple(
            Bucket(upto_ms=BUCKETS_MS[index], count=counts[index])
            for index in range(used[0], used[-1] + 1)
        )

    def encoded(self) -> str:
        """Return the whole histogram as HdrHistogram's tools of other languages read it."""
        return str(self._histogram.encode().decode("ascii"))
