from collections.abc import Callable, Iterable

import pytest

from mainstay.telemetry.masking import Masker
from mainstay.telemetry.metrics.names import Kind
from mainstay.telemetry.metrics.registry import (
    BOUNDS_MAX,
    METRICS_MAX,
    SOURCES_MAX,
    Reading,
    Registry,
)
from mainstay.telemetry.metrics.snapshot import OTHER, Family, Labels
from mainstay.telemetry.metrics.table import (
    FAMILIES,
    ROWS,
    Row,
    counter,
    family,
    gauge,
    histogram,
)


def told(registry: Registry, name: str) -> dict[Labels, tuple[float, ...]]:
    found = {one.name: series for one, series in registry.snapshot().items()}
    return {labels: tuple(values) for labels, values in found[name].items()}


def test_one_line_makes_a_metric_and_another_counts() -> None:
    registry = Registry()
    orders = registry.counter("orders", "Orders placed.", labels=("region", "method"))
    orders.labels("eu", "card").inc()
    orders.labels("eu", "card").inc(2)
    orders.labels(method="cash", region="us").inc()
    assert told(registry, "orders") == {("eu", "card"): (3,), ("us", "cash"): (1,)}


def test_a_metric_without_labels_is_there_before_anything_happens() -> None:
    registry = Registry()
    orders = registry.counter("orders", "Orders placed.")
    assert told(registry, "orders") == {(): (0,)}
    orders.inc()
    assert told(registry, "orders") == {(): (1,)}


def test_who_says_the_same_gets_the_same() -> None:
    registry = Registry()
    assert registry.counter("orders", "x") is registry.counter("orders_total", "x")


def test_who_says_something_else_under_the_same_name_is_refused() -> None:
    registry = Registry()
    registry.counter("orders", "x")
    with pytest.raises(ValueError, match="already, and it is another"):
        registry.gauge("orders", "x")
    with pytest.raises(ValueError, match="already, and it is another"):
        registry.counter("orders", "x", labels=("region",))


def test_labels_beyond_the_bound_are_folded_into_one_and_counted() -> None:
    """Law: nothing is lost, memory is bounded, and it shows."""
    registry = Registry(series_max=10)
    orders = registry.counter("orders", "x", labels=("user", "region"))
    for user in range(25):
        orders.labels(str(user), "eu").inc()
    orders.labels("3", "eu").inc()
    series = told(registry, "orders")
    assert len(series) == 11
    assert [series["3", "eu"], series[OTHER, OTHER]] == [(2,), (15,)]
    assert told(registry, "mainstay_telemetry_folded") == {("orders",): (15,)}


def test_values_of_labels_are_masked_when_their_series_is_made() -> None:
    registry = Registry(mask=Masker().label)
    logins = registry.counter("logins", "Logins.", labels=("who", "token"))
    for who in ("alice@example.org", "bob@example.org"):
        logins.labels(who, "hunter22").inc()
    logins.labels("guest", "").inc()
    assert told(registry, "logins") == {("***", "***"): (2.0,), ("guest", ""): (1.0,)}


def test_what_is_read_from_elsewhere_is_bounded_too() -> None:
    registry = Registry(series_max=3)
    depth = family("mainstay_budget_left")

    def source() -> Iterable[Reading]:
        return [(depth, (str(n),), (n,)) for n in range(6)]

    registry.read(source)
    assert told(registry, depth.name) == {
        ("0",): (0,), ("1",): (1,), ("2",): (2,), (OTHER,): (3 + 4 + 5,)
    }  # fmt: skip
    assert told(registry, "mainstay_telemetry_folded")[depth.name,] == (2 * 3,)


def test_a_value_that_is_no_text_becomes_it_and_one_that_is_too_long_is_cut() -> None:
    registry = Registry()
    orders = registry.counter("orders", "x", labels=("what",))
    for value in (1, "1", True, None, "x" * 300, "\ud800", "größe"):
        orders.labels(value).inc()  # type: ignore[arg-type]  # What a program may do.
    assert told(registry, "orders") == {
        ("1",): (2,), ("True",): (1,), ("None",): (1,), ("x" * 256,): (1,), ("?",): (1,),
        ("größe",): (1,),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ((), {}),
        (("eu",), {}),
        (("eu", "card", "x"), {}),
        ((), {"region": "eu"}),
        ((), {"region": "eu", "kind": "card"}),
        (("eu",), {"method": "card"}),
    ],
)
def test_other_labels_than_it_has_are_refused(
    values: tuple[str, ...], named: dict[str, str]
) -> None:
    orders = Registry().counter("orders", "x", labels=("region", "method"))
    with pytest.raises(ValueError, match="orders has"):
        orders.labels(*values, **named)


def test_a_metric_with_labels_can_not_be_counted_without() -> None:
    registry = Registry()
    with pytest.raises(ValueError, match=r"orders has labels: \.labels\(region\) first"):
        registry.counter("orders", "x", labels=("region",)).inc()


def test_a_gauge_says_what_a_function_says_when_somebody_asks() -> None:
    depths = iter([3.0, 5.0])
    registry = Registry()
    registry.gauge("depth", "x", read=lambda: next(depths))
    assert told(registry, "depth") == {(): (3.0,)}
    assert told(registry, "depth") == {(): (5.0,)}


def test_a_function_that_fails_hurts_nobody_and_is_counted() -> None:
    registry = Registry()
    depths: dict[str, float] = {}
    registry.gauge("depth", "x", read=lambda: depths["gone"])
    registry.counter("orders", "x").inc()
    assert told(registry, "orders") == {(): (1,)}
    assert told(registry, "mainstay_telemetry_unread") == {("depth",): (2,)}


def test_a_source_that_fails_takes_nothing_from_the_others() -> None:
    registry = Registry()

    def broken() -> Iterable[Reading]:
        yield family("mainstay_budget_left"), ("a",), (1,)
        raise LookupError

    registry.read(broken)
    registry.read(lambda: [(family("mainstay_overloaded"), (), (1,))])
    assert told(registry, "mainstay_overloaded") == {(): (1,)}
    assert told(registry, "mainstay_telemetry_unread") == {
        ("test_a_source_that_fails_takes_nothing_from_the_others",): (2,)
    }


def test_one_function_tells_one_figure() -> None:
    with pytest.raises(ValueError, match="no labels"):
        Registry().gauge("depth", "x", labels=("queue",), read=lambda: 1.0)


@pytest.mark.parametrize(
    "bounds", [(), (1.0, 1.0), (2.0, 1.0), (float("inf"),), (float("nan"),), range(BOUNDS_MAX + 1)]
)
def test_bounds_rise_and_end(bounds: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="finite bounds"):
        Registry().histogram("x", "x", bounds=bounds)


def test_metrics_and_sources_are_bounded() -> None:
    registry = Registry()
    for number in range(METRICS_MAX - len(registry.snapshot())):
        registry.counter(f"c{number}", "x")
    with pytest.raises(ValueError, match="is one made per request"):
        registry.counter("one_more", "x")
    for _ in range(SOURCES_MAX):
        registry.read(tuple)
    with pytest.raises(ValueError, match="is one added for each request"):
        registry.read(tuple)


def test_what_a_forked_child_forgets_are_counts_and_not_cells() -> None:
    registry = Registry()
    orders = registry.counter("orders", "x", labels=("region",))
    kept = orders.labels("eu")
    kept.inc(7)
    registry.forget()
    kept.inc()
    assert told(registry, "orders") == {("eu",): (1,)}


def test_gauges_of_several_processes_make_what_was_said() -> None:
    registry = Registry()
    registry.gauge("peak", "x", across="max")
    made = next(one for one in registry.snapshot() if one.name == "peak")
    assert isinstance(made, Family)
    assert made.together((3.0,), (5.0,)) == (5.0,)
    with pytest.raises(ValueError, match="median"):
        registry.gauge("middle", "x", across="median")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_no_program_takes_a_name_of_ours(row: Row) -> None:
    """Law: no answer has two metrics of one name, whichever of them is made first, or read."""
    registry = Registry(own=FAMILIES)
    name = row.family.name
    for make in (registry.counter, registry.gauge, registry.histogram):
        with pytest.raises(ValueError, match="a metric of Mainstay's own"):
            make(name, "mine", unit="")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_what_is_ours_is_made_as_it_is_written_down(row: Row) -> None:
    registry = Registry(own=FAMILIES)
    made: dict[Kind, Callable[..., object]] = {
        Kind.COUNTER: counter, Kind.GAUGE: gauge, Kind.HISTOGRAM: histogram,
    }  # fmt: skip
    if row.kind in made:
        made[row.kind](registry, row.name)
        assert row.family in registry.snapshot()


def test_a_source_that_tells_another_metric_of_a_name_is_passed_over_and_counted() -> None:
    registry = Registry()
    registry.gauge("depth", "x").set(3)
    for doc in ("other", "x"):
        told_so = Family(name="depth", kind=Kind.GAUGE, help=doc, labels=("a",))
        registry.read(lambda one=told_so: [(one, ("b",), (1,))])  # type: ignore[misc]  # A default binds it.
    assert told(registry, "depth") == {(): (3,)}
    assert [one.name for one in registry.snapshot()].count("depth") == 1
    assert told(registry, "mainstay_telemetry_unread")[("depth",)] == (6,)


def test_a_sentence_that_can_not_be_written_is_mended() -> None:
    registry = Registry()
    registry.counter("orders", "what\ud800").inc()
    [family_told] = [one for one in registry.snapshot() if one.name == "orders"]
    assert family_told.help == "what?"


def test_a_function_that_exits_ends_no_answer() -> None:
    def leave() -> float:
        raise SystemExit(3)

    registry = Registry()
    registry.gauge("depth", "x", read=leave)
    assert told(registry, "depth") == {(): (0.0,)}
    assert told(registry, "mainstay_telemetry_unread") == {("depth",): (2,)}
