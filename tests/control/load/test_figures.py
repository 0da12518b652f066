"""Figures against the naive ones of a sorted list."""

import base64
import zlib
from math import ceil

from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.control.load.figures import BUCKETS_MS, Durations

SECONDS = st.lists(st.floats(1e-6, 60.0), min_size=1, max_size=200)


def recorded(durations_s: list[float]) -> Durations:
    durations = Durations()
    for duration_s in durations_s:
        durations.record(duration_s)
    return durations


@settings(max_examples=40)
@given(SECONDS)
def test_percentiles_are_exact_to_three_digits(durations_s: list[float]) -> None:
    found = recorded(durations_s).figures()
    assert found is not None
    in_order = sorted(durations_s)
    for percent, value_ms in ((50, found.p50_ms), (99, found.p99_ms), (99.9, found.p99_9_ms)):
        # The library rounds the rank to the nearest, so one neighbour to either side may be it.
        rank = ceil(percent / 100 * len(in_order))
        near = in_order[max(rank - 2, 0) : rank + 1]
        assert any(abs(value_ms / 1000 - one) <= one * 0.001 + 2e-6 for one in near)
    assert abs(found.mean_ms / 1000 - sum(durations_s) / len(durations_s)) <= (
        found.mean_ms / 1000 * 0.002 + 2e-6
    )


@settings(max_examples=40)
@given(SECONDS)
def test_figures_are_in_order(durations_s: list[float]) -> None:
    found = recorded(durations_s).figures()
    assert found is not None
    line = [
        found.min_ms, found.p50_ms, found.p75_ms, found.p90_ms, found.p95_ms, found.p99_ms,
        found.p99_9_ms, found.max_ms,
    ]  # fmt: skip
    assert line == sorted(line)
    assert found.count == len(durations_s)


@settings(max_examples=40)
@given(SECONDS)
def test_buckets_hold_everything_once(durations_s: list[float]) -> None:
    buckets = recorded(durations_s).buckets()
    assert sum(bucket.count for bucket in buckets) == len(durations_s)
    assert buckets[0].count > 0
    assert buckets[-1].count > 0
    assert {bucket.upto_ms for bucket in buckets} <= set(BUCKETS_MS)


@settings(max_examples=40)
@given(SECONDS, SECONDS)
def test_adding_is_recording_both(one: list[float], other: list[float]) -> None:
    added = recorded(one)
    added.add(recorded(other))
    assert added.figures() == recorded(one + other).figures()


def test_the_bounds_are_kept() -> None:
    """Nothing is lost: what is too long counts as the longest, what is too short as 1 µs."""
    found = recorded([-1.0, 0.0, 3600.0]).figures()
    assert found is not None
    assert found.count == 3
    assert (found.min_ms, round(found.max_ms, -2)) == (0.001, 60_000.0)


def test_nothing_recorded_has_no_figures() -> None:
    empty = Durations()
    assert (empty.figures(), empty.buckets(), empty.percentile_ms(99)) == (None, (), None)


def test_the_encoded_histogram_is_of_the_v2_format() -> None:
    raw = base64.b64decode(recorded([0.001, 0.002]).encoded())
    assert raw[:4] == bytes.fromhex("1c849314")
    assert zlib.decompress(raw[8:])[:4] == bytes.fromhex("1c849313")
