"""What people read."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.control.load import LoadReport, Progress, Tolerance, compare
from mainstay.control.load.text import (
    BAR_WIDTH,
    bar_length,
    comparison_text,
    milliseconds,
    progress_text,
    report_text,
)

Build = Callable[..., LoadReport]


@pytest.mark.parametrize(
    ("value_ms", "text"),
    [
        (0.0, "0 µs"), (0.0421, "42 µs"), (1.0, "1.00 ms"), (2.301, "2.30 ms"), (12.34, "12.3 ms"),
        (999.4, "999 ms"), (1000.0, "1.00 s"), (60_000.0, "60.0 s"),
    ],
)  # fmt: skip
def test_durations(value_ms: float, text: str) -> None:
    assert milliseconds(value_ms) == text


@given(st.integers(1, 10**9), st.data())
def test_bars_are_logarithmic_and_one_request_shows(most: int, data: st.DataObject) -> None:
    one, other = sorted(data.draw(st.tuples(st.integers(1, most), st.integers(1, most))))
    assert 1 <= bar_length(one, most) <= bar_length(other, most) <= BAR_WIDTH
    assert bar_length(most, most) == BAR_WIDTH
    assert bar_length(0, most) == 0


def test_a_report_tells_its_figures_its_failures_and_its_doubts(build: Build) -> None:
    report = replace(build(failed=7), notes=("the generator fell behind: max lag 120 ms",))
    text = report_text(report)
    assert "1000 requests in 10.0 s, 7 failed (0.70%)" in text
    assert "reset: 7 (closed before any response)" in text
    assert "note: the generator fell behind: max lag 120 ms" in text
    assert "20.0 ms" in text
    assert text.count("█") == 2 * BAR_WIDTH


def test_a_report_without_any_answer_still_prints(build: Build) -> None:
    text = report_text(replace(build(p50_ms=None, failed=1000), buckets=()))
    assert "1000 failed (100.00%)" in text
    assert "█" not in text


def test_an_interrupted_report_says_so_first(build: Build) -> None:
    text = report_text(replace(build(), interrupted=True))
    assert text.startswith("interrupted after 10.0 s\n")


def test_each_target_has_a_line_where_there_are_several(build: Build) -> None:
    report = build()
    second = replace(report.targets[0], name="POST /orders")
    assert "POST /orders" in report_text(replace(report, targets=(report.targets[0], second)))
    assert "GET /" not in report_text(report)


def test_a_comparison_marks_what_got_worse(build: Build) -> None:
    text = comparison_text(compare(build(), build(p99_ms=50.0), Tolerance()))
    marked = [line for line in text.splitlines() if "REGRESSED" in line]
    assert len(marked) == 1
    for word in ("p99", "20.0 ms", "50.0 ms", "+150.0%"):
        assert word in marked[0]


def test_progress_is_one_line() -> None:
    progress = Progress(
        elapsed_s=31.0,
        planned_s=30.0,
        warming_up=False,
        requests=900,
        failed=2,
        in_flight=3,
        step=None,
    )
    assert progress_text(progress) == " 30.0 s of 30 s  requests 900  failed 2  in flight 3"
    assert "warming up" in progress_text(replace(progress, warming_up=True))
