from hypothesis import given
from hypothesis import strategies as st

from mainstay.telemetry.metrics.counting.growth import Growth
from mainstay.telemetry.metrics.registry import Registry


@given(st.lists(st.integers(0, 50), max_size=20))
def test_it_counts_by_how_much_a_figure_rose_and_starts_anew_where_it_fell(
    figures: list[int],
) -> None:
    counter = Registry().counter("x", "x", labels=("of",))
    growth = Growth(counter)
    expected, last = 0, 0
    for figure in figures:
        growth.seen(("a",), figure)
        expected += figure - last if figure >= last else figure
        last = figure
    assert counter.labels("a").read() == (expected,)


def test_a_forked_child_counts_only_what_grew_since() -> None:
    registry = Registry()
    counter = registry.counter("x", "x", labels=("of",))
    growth = Growth(counter)
    growth.seen(("a",), 7)
    registry.forget()
    growth.seen(("a",), 9)
    assert counter.labels("a").read() == (2,)
