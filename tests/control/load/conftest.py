"""Reports to compare, print and read back."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from mainstay.control.load import Figures, Generator, LoadReport, Step, TargetReport
from mainstay.control.load.figures import Bucket

Build = Callable[..., LoadReport]


def figures(p50_ms: float, p99_ms: float) -> Figures:
    return Figures(
        count=1000,
        min_ms=p50_ms / 2,
        mean_ms=p50_ms,
        p50_ms=p50_ms,
        p75_ms=p50_ms,
        p90_ms=p99_ms,
        p95_ms=p99_ms,
        p99_ms=p99_ms,
        p99_9_ms=p99_ms,
        max_ms=p99_ms * 2,
    )


@pytest.fixture
def build() -> Build:
    """Return a report of 1000 requests with the figures that are asked for."""

    def report(
        *,
        p50_ms: float | None = 5.0,
        p99_ms: float = 20.0,
        failed: int = 0,
        good_per_s: float = 100.0,
        asked_per_s: float = 100.0,
        lag_max_ms: float = 0.5,
    ) -> LoadReport:
        latency = None if p50_ms is None else figures(p50_ms, p99_ms)
        total = TargetReport(
            name="total",
            requests=1000,
            failed=failed,
            kinds={"reset": failed} if failed else {},
            statuses={"200": 1000 - failed},
            latency=latency,
            service=latency,
        )
        return LoadReport(
            asked_per_s=asked_per_s,
            sent_per_s=asked_per_s,
            good_per_s=good_per_s,
            arrivals="constant",
            seed=0,
            duration_s=10.0,
            sending_s=10.0,
            unfinished=0,
            interrupted=False,
            total=total,
            targets=(replace(total, name="GET /"),),
            generator=Generator(
                lag_mean_ms=0.1,
                lag_p99_ms=0.2,
                lag_max_ms=lag_max_ms,
                cpu_share=0.02,
                connections=4,
                stray=0,
                in_flight_peak=4,
            ),
            step_s=1.0,
            timeline=(Step(at_s=0.0, requests=1000, failed=failed, p99_ms=p99_ms),),
            buckets=(Bucket(upto_ms=5.0, count=500), Bucket(upto_ms=10.0, count=500)),
            examples={"reset": "closed before any response"} if failed else {},
            notes=(),
            histogram="",
        )

    return report
