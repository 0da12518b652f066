"""The tree of a trace, whatever its spans say of each other."""

from hypothesis import given
from hypothesis import strategies as st
from tests.control.traces.spans import MS, span

from mainstay.control.traces.span import KeptSpan
from mainstay.control.traces.tree import DEPTH_MAX, rows


def told(*spans: KeptSpan) -> list[tuple[str, int, bool]]:
    return [(row.span.name[5:], row.depth, row.orphan) for row in rows(spans)]


def test_children_follow_their_parent_by_their_start() -> None:
    found = rows([span(4, 1), span(3, 2), span(2, 1), span(1)])
    assert [(row.span.name, row.depth, row.lasts) for row in found] == [
        ("span 1", 0, ()),
        ("span 2", 1, (False,)),
        ("span 3", 2, (False, True)),
        ("span 4", 1, (True,)),
    ]


def test_of_two_that_begin_at_once_the_longer_one_is_first() -> None:
    long = span(2, 9, start_ns=1, end_ns=90 * MS)
    assert told(span(1, 9, start_ns=1, end_ns=MS), long) == [("2", 0, True), ("1", 0, True)]


def test_a_circle_of_parents_is_cut_open() -> None:
    assert told(span(1, 3), span(2, 1), span(3, 2), span(4, 4)) == [
        ("1", 0, True), ("2", 1, False), ("3", 2, False), ("4", 0, True),
    ]  # fmt: skip


def test_a_chain_of_thousands_is_flat_below_the_bound() -> None:
    found = rows([span(1), *(span(number, number - 1) for number in range(2, 5000))])
    assert len(found) == 4999
    assert max(row.depth for row in found) == DEPTH_MAX


@given(st.lists(st.tuples(st.integers(1, 12), st.none() | st.integers(1, 14)), max_size=14))
def test_each_span_appears_once_and_after_its_parent(links: list[tuple[int, int | None]]) -> None:
    spans = {number: span(number, parent) for number, parent in links}.values()
    found = rows(spans)
    assert sorted(row.span.span_id for row in found) == sorted(one.span_id for one in spans)
    place = {row.span.span_id: at for at, row in enumerate(found)}
    for at, row in enumerate(found):
        assert len(row.lasts) == row.depth
        if row.depth:
            assert row.span.parent_id is not None
            assert place[row.span.parent_id] < at
            assert found[place[row.span.parent_id]].depth == row.depth - 1
