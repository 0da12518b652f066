"""What is a regression, and what is noise."""

from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest

from mainstay.control.load import LoadReport, Tolerance, compare

Build = Callable[..., LoadReport]
EXACT = Tolerance(share=0.2, floor_ms=1.0, floor_failed_share=0.001)


def worse(baseline: LoadReport, current: LoadReport, tolerance: Tolerance = EXACT) -> set[str]:
    return {row.figure for row in compare(baseline, current, tolerance).rows if row.regressed}


def test_the_same_report_is_no_regression(build: Build) -> None:
    assert not compare(build(), build(), EXACT).regressed
    assert compare(build(), build(), EXACT).notes == ()


@pytest.mark.parametrize(
    ("change", "figures"),
    [
        ({"p50_ms": 7.0}, {"p50_ms"}),
        ({"p50_ms": 5.9}, set()),  # Within 20 %.
        ({"p99_ms": 24.1}, {"p99_ms"}),
        ({"p99_ms": 24.0}, set()),
        ({"failed": 2}, {"failed_share"}),
        ({"failed": 1}, set()),  # 0.1 % is the floor.
        ({"good_per_s": 79.0}, {"good_per_s"}),
        ({"good_per_s": 81.0}, set()),
        ({"good_per_s": 200.0, "p50_ms": 1.0, "p99_ms": 2.0}, set()),  # Better is never worse.
        ({"p50_ms": None}, {"p50_ms", "p99_ms"}),
    ],
)
def test_each_figure_on_its_own(
    build: Build, change: dict[str, float | None], figures: set[str]
) -> None:
    assert worse(build(), build(**change)) == figures


def test_tiny_latencies_may_double(build: Build) -> None:
    """0.1 ms more is beyond any share of 0.05 ms, and still nothing that anybody feels."""
    before, after = build(p50_ms=0.05, p99_ms=0.1), build(p50_ms=0.15, p99_ms=0.9)
    assert worse(before, after) == set()
    assert worse(before, after, Tolerance(floor_ms=0.0)) == {"p50_ms", "p99_ms"}


def test_a_baseline_without_answers_cannot_be_worsened(build: Build) -> None:
    comparison = compare(build(p50_ms=None), build(), EXACT)
    assert not comparison.regressed
    assert comparison.rows[0].change is None


@pytest.mark.parametrize("seed", range(20))
def test_more_tolerance_never_finds_more(build: Build, seed: int) -> None:
    """Widening any bound keeps or shrinks the set of regressions."""
    rng = Random(seed)

    def report() -> LoadReport:
        return build(
            p50_ms=rng.uniform(0.1, 10),
            p99_ms=rng.uniform(10, 100),
            failed=rng.randrange(10),
            good_per_s=rng.uniform(50, 100),
        )

    before, after = report(), report()
    narrow = Tolerance(share=rng.random(), floor_ms=rng.random(), floor_failed_share=0.002)
    for wide in (
        replace(narrow, share=narrow.share + 0.5),
        replace(narrow, floor_ms=narrow.floor_ms + 5),
        replace(narrow, floor_failed_share=0.005),
    ):
        assert worse(before, after, wide) <= worse(before, after, narrow)


def test_what_cannot_be_compared_is_noted(build: Build) -> None:
    notes = "\n".join(compare(build(), build(asked_per_s=200.0, lag_max_ms=90.0), EXACT).notes)
    assert "100 requests/s" in notes
    assert "fell behind by 90 ms" in notes
