from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from mainstay.telemetry.metrics.names import Kind
from mainstay.telemetry.metrics.snapshot import (
    OTHER,
    Across,
    Family,
    Labels,
    Snapshot,
    Values,
    merge,
    rising,
)

ORDERS = Family(name="orders", kind=Kind.COUNTER, help="x", labels=("region",))
LATENCY = Family(name="latency", kind=Kind.HISTOGRAM, help="x", bounds=(1.0,))
DEPTH = Family(name="depth", kind=Kind.GAUGE, help="x")

regions = st.text("abcdef", min_size=1, max_size=1)
counts = st.dictionaries(st.tuples(regions), st.tuples(st.integers(0, 1000)), max_size=6)


def summed(snapshot: Snapshot) -> float:
    return sum(values[0] for values in snapshot.get(ORDERS, {}).values())


@given(st.lists(counts, max_size=5), st.integers(1, 6))
def test_together_nothing_is_lost_and_series_stay_bounded(
    processes: list[dict[Labels, Values]], series_max: int
) -> None:
    parts: list[Snapshot] = [{ORDERS: dict(one)} for one in processes]
    merged = merge(parts, series_max=series_max)
    assert summed(merged) == sum(map(summed, parts))
    assert len(merged.get(ORDERS, {})) <= series_max + 1
    everywhere = {labels for one in processes for labels in one}
    if len(everywhere) <= series_max:
        assert (OTHER,) not in merged.get(ORDERS, {})


def test_merging_leaves_the_parts_as_they_were() -> None:
    first: Snapshot = {ORDERS: {("eu",): (1,)}}
    merge([first, {ORDERS: {("eu",): (2,), ("us",): (3,)}}], series_max=10)
    assert first == {ORDERS: {("eu",): (1,)}}


def test_histograms_are_added_bucket_by_bucket() -> None:
    merged = merge([{LATENCY: {(): (1, 2, 3.5)}}, {LATENCY: {(): (4, 5, 6.5)}}], series_max=10)
    assert merged == {LATENCY: {(): (5, 7, 10.0)}}


def test_gauges_make_together_what_their_family_says() -> None:
    for across, value in ((Across.SUM, 8), (Across.MAX, 5), (Across.MIN, 3)):
        depth = replace(DEPTH, across=across)
        assert merge([{depth: {(): (3,)}}, {depth: {(): (5,)}}], series_max=1)[depth][()] == (
            value,
        )


def test_of_two_that_do_not_fit_the_first_counts() -> None:
    """There may be two while another version of a program takes over."""
    other = replace(ORDERS, labels=("country",))
    merged = merge([{ORDERS: {("eu",): (1,)}}, {other: {("de",): (9,)}}], series_max=10)
    assert merged == {ORDERS: {("eu",): (1,)}}


def test_another_sentence_makes_no_other_metric() -> None:
    other = replace(ORDERS, help="y")
    merged = merge([{ORDERS: {("eu",): (1,)}}, {other: {("eu",): (9,)}}], series_max=10)
    assert merged == {ORDERS: {("eu",): (10,)}}


def test_what_counts_on_after_the_end_is_what_rises() -> None:
    counted: Snapshot = {ORDERS: {("eu",): (1,)}, LATENCY: {(): (1, 0, 0.5)}, DEPTH: {(): (3,)}}
    assert set(rising(counted)) == {ORDERS, LATENCY}
