"""What is told is what prometheus_client's own parsers read, of both formats."""

import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.telemetry.metrics.parsing import parse

from mainstay.telemetry.metrics.cells import Exemplar
from mainstay.telemetry.metrics.exposition.text import BLOCK_LINES, blocks
from mainstay.telemetry.metrics.names import Kind
from mainstay.telemetry.metrics.registry import Registry
from mainstay.telemetry.metrics.snapshot import Family, Snapshot

words = st.text(st.characters(codec="utf-8"), max_size=20)
numbers = st.floats(allow_nan=False) | st.integers(-(10**12), 10**12)


Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]
"""Name and labels to value."""


def text(snapshot: Snapshot, *, openmetrics: bool) -> str:
    return "".join(blocks(snapshot, openmetrics=openmetrics))


def read(snapshot: Snapshot, *, openmetrics: bool) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in parse(text(snapshot, openmetrics=openmetrics), openmetrics=openmetrics)
        for sample in family.samples
    }


@pytest.mark.parametrize("openmetrics", [False, True])
@given(values=st.dictionaries(st.tuples(words, words), numbers, max_size=5), doc=words)
def test_any_label_and_any_number_is_read_as_it_was(
    openmetrics: bool,  # noqa: FBT001  A parameter of the test.
    values: dict[tuple[str, str], float],
    doc: str,
) -> None:
    depth = Family(name="depth", kind=Kind.GAUGE, help=doc, labels=("a", "b"))
    snapshot: Snapshot = {depth: {labels: (value,) for labels, value in values.items()}}
    assert read(snapshot, openmetrics=openmetrics) == {
        ("depth", frozenset((n, v) for n, v in zip("ab", labels, strict=True) if v)): value
        for labels, value in values.items()
    }


@pytest.mark.parametrize("openmetrics", [False, True])
@given(observed=st.lists(st.floats(0, 20), max_size=30))
def test_a_histogram_is_read_as_it_was(
    openmetrics: bool,  # noqa: FBT001  A parameter of the test.
    observed: list[float],
) -> None:
    registry = Registry()
    latency = registry.histogram("latency", "x", bounds=(0.5, 1.0, 10.0))
    for value in observed:
        latency.observe(value)
    found = read(registry.snapshot(), openmetrics=openmetrics)
    for bound in (0.5, 1.0, 10.0, math.inf):
        le = "+Inf" if bound == math.inf else str(bound)
        bucket = ("latency_seconds_bucket", frozenset({("le", le)}))
        assert found[bucket] == sum(value <= bound for value in observed)
    assert found["latency_seconds_count", frozenset()] == len(observed)
    assert found["latency_seconds_sum", frozenset()] == pytest.approx(math.fsum(observed))


@pytest.mark.parametrize("openmetrics", [False, True])
@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_what_is_no_number_has_its_own_word(*, openmetrics: bool, value: float) -> None:
    depth = Family(name="depth", kind=Kind.GAUGE, help="x")
    (found,) = read({depth: {(): (value,)}}, openmetrics=openmetrics).values()
    assert found == value or (math.isnan(found) and math.isnan(value))


@pytest.mark.parametrize("value", [True, Fraction(1, 2), Decimal("0.5"), 2**60])
def test_whatever_is_a_number_is_told_as_one(value: float) -> None:
    registry = Registry()
    registry.gauge("told", "x").set(value)
    registry.read(lambda: [(Family(name="read", kind=Kind.GAUGE, help="x"), (), (value,))])
    found = read(registry.snapshot(), openmetrics=True)
    assert found["told", frozenset()] == found["read", frozenset()] == float(value)


def test_the_two_formats_differ_where_they_should() -> None:
    registry = Registry()
    registry.counter("orders", 'Orders "placed".\nAll of them.').inc(2)
    registry.read(
        lambda: [(Family(name="target", kind=Kind.INFO, help="x", labels=("v",)), ("1",), (1,))]
    )
    registry.gauge("size", "x", unit="bytes").set(3)
    old = text(registry.snapshot(), openmetrics=False)
    new = text(registry.snapshot(), openmetrics=True)
    assert (
        '# HELP orders_total Orders "placed".\\nAll of them.\n# TYPE orders_total counter\n' in old
    )
    assert '# TYPE orders counter\n# HELP orders Orders \\"placed\\".\\nAll of them.\n' in new
    assert "orders_total 2.0\n" in old
    assert "orders_total 2.0\n" in new
    assert "# TYPE target_info gauge\n" in old
    assert "# TYPE target info\n" in new
    assert "# UNIT" not in old
    assert "# TYPE size_bytes gauge\n# UNIT size_bytes bytes\n" in new
    assert not old.endswith("# EOF\n")
    assert new.endswith("# EOF\n")


def test_an_exemplar_stands_at_its_bucket_and_only_in_openmetrics() -> None:
    registry = Registry()
    latency = registry.histogram("latency", "x", labels=("route",), bounds=(0.5, 1.0))
    cell = latency.labels("/a")
    cell.observe(0.7)
    cell.exemplify(Exemplar(0.7, "ab" * 16, 5.25))
    new = "".join(
        blocks(
            registry.snapshot(),
            openmetrics=True,
            exemplars=registry.exemplars(),
            wall_offset_s=1_700_000_000.0,
        )
    )
    found = {
        sample.labels["le"]: sample.exemplar
        for family in parse(new, openmetrics=True)
        for sample in family.samples
        if sample.name == "latency_seconds_bucket"
    }
    assert found["0.5"] is None
    assert found["+Inf"] is None
    assert found["1.0"].labels == {"trace_id": "ab" * 16}
    assert found["1.0"].value == 0.7
    assert float(found["1.0"].timestamp) == 1_700_000_005.25
    old = "".join(blocks(registry.snapshot(), openmetrics=False, exemplars=registry.exemplars()))
    assert "trace_id" not in old


def test_a_great_text_comes_in_blocks() -> None:
    """So that an event loop gets its turn between two of them."""
    registry = Registry(series_max=5000)
    orders = registry.counter("orders", "x", labels=("n",))
    for number in range(5000):
        orders.labels(str(number)).inc()
    pieces = list(blocks(registry.snapshot(), openmetrics=True))
    assert len(pieces) > 5000 / (BLOCK_LINES + 64)
    assert max(piece.count("\n") for piece in pieces) <= BLOCK_LINES + 64
    assert sum(piece.count("orders_total{") for piece in pieces) == 5000
