"""A report survives being written and read; nothing else is taken for one."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.control.load import (
    LoadReport,
    ReportInvalid,
    load_report,
    report_from_json,
    report_to_json,
)
from mainstay.control.load.figures import Bucket, Figures
from mainstay.control.load.report import Generator, Step, TargetReport

Build = Callable[..., LoadReport]
NUMBERS = st.floats(0, 1e9, allow_nan=False)
COUNTS = st.integers(0, 2**53)
NAMES = st.text(max_size=20)
FIGURES = st.none() | st.builds(
    Figures,
    **dict.fromkeys(
        (
            "min_ms",
            "mean_ms",
            "p50_ms",
            "p75_ms",
            "p90_ms",
            "p95_ms",
            "p99_ms",
            "p99_9_ms",
            "max_ms",
        ),
        NUMBERS,
    ),
    count=COUNTS,
)
TARGETS = st.builds(
    TargetReport,
    name=NAMES,
    requests=COUNTS,
    failed=COUNTS,
    kinds=st.dictionaries(NAMES, COUNTS, max_size=3),
    statuses=st.dictionaries(NAMES, COUNTS, max_size=3),
    latency=FIGURES,
    service=FIGURES,
)
STEPS = st.builds(Step, at_s=NUMBERS, requests=COUNTS, failed=COUNTS, p99_ms=st.none() | NUMBERS)
REPORTS = st.builds(
    LoadReport,
    asked_per_s=NUMBERS,
    sent_per_s=NUMBERS,
    good_per_s=NUMBERS,
    arrivals=st.sampled_from(["constant", "poisson"]),
    seed=st.integers(),
    duration_s=NUMBERS,
    sending_s=NUMBERS,
    unfinished=COUNTS,
    interrupted=st.booleans(),
    total=TARGETS,
    targets=st.lists(TARGETS, max_size=2).map(tuple),
    generator=st.builds(
        Generator,
        lag_mean_ms=NUMBERS,
        lag_p99_ms=NUMBERS,
        lag_max_ms=NUMBERS,
        cpu_share=NUMBERS,
        connections=COUNTS,
        stray=COUNTS,
        in_flight_peak=COUNTS,
    ),
    step_s=NUMBERS,
    timeline=st.lists(STEPS, max_size=3).map(tuple),
    buckets=st.lists(st.builds(Bucket, upto_ms=NUMBERS, count=COUNTS), max_size=3).map(tuple),
    examples=st.dictionaries(NAMES, NAMES, max_size=2),
    notes=st.lists(NAMES, max_size=2).map(tuple),
    histogram=NAMES,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(REPORTS)
def test_a_report_survives_being_written_and_read(report: LoadReport) -> None:
    assert report_from_json(report_to_json(report)) == report


@given(REPORTS, st.data())
def test_a_damaged_report_is_refused_or_still_one(report: LoadReport, data: st.DataObject) -> None:
    """One key replaced by any JSON at all: never another error than ReportInvalid."""
    raw = json.loads(report_to_json(report))
    key = data.draw(st.sampled_from(sorted(raw)))
    raw[key] = data.draw(JSON)
    try:
        read = report_from_json(json.dumps(raw))
    except ReportInvalid:
        return
    assert isinstance(read, LoadReport)


@pytest.mark.parametrize("missing", ["total", "asked_per_s", "timeline", "format"])
def test_a_missing_key_is_named(build: Build, missing: str) -> None:
    raw = json.loads(report_to_json(build()))
    del raw[missing]
    with pytest.raises(ReportInvalid, match=missing):
        report_from_json(json.dumps(raw))


def test_keys_of_a_later_version_are_passed_over(build: Build) -> None:
    raw = json.loads(report_to_json(build()))
    raw["comparison"] = {"of": "later"}
    raw["total"]["p42"] = 1
    assert report_from_json(json.dumps(raw)) == build()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "1", '{"format": "mainstay-load/0"}', "[" * 100_000, "9" * 5000]
)
def test_other_json_is_refused(text: str) -> None:
    with pytest.raises(ReportInvalid):
        report_from_json(text)


def test_infinite_numbers_are_refused(build: Build) -> None:
    text = report_to_json(build()).replace('"good_per_s": 100.0', '"good_per_s": Infinity')
    with pytest.raises(ReportInvalid, match="good_per_s"):
        report_from_json(text)


def test_a_file_that_is_no_report_is_named(tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    with pytest.raises(ReportInvalid, match=r"b\.json: No such file"):
        load_report(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ReportInvalid, match=r"b\.json: not a report: no UTF-8 text"):
        load_report(path)
    with pytest.raises(ReportInvalid, match="directory"):
        load_report(tmp_path)
