"""The spans of a trace as a tree, in the order in which people read it. Pure.

Parents that are missing, named in a circle, or later than their children make no trouble: each span
appears once.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from mainstay.control.traces.span import KeptSpan

DEPTH_MAX: Final = 32
"""What is deeper is shown at this depth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One span in its place.

    Attributes:
        span: It.
        depth: 0 for a root.
        lasts: For each depth from 1 to its own, whether nothing follows there; as long as depth.
        orphan: Whether its parent is not among the spans: another system's, or not kept.
    """

    span: KeptSpan
    depth: int
    lasts: tuple[bool, ...]
    orphan: bool


def rows(spans: Iterable[KeptSpan]) -> list[Row]:
    """Return every span once, parents before their children, siblings by their start."""
    there = sorted(spans, key=_order)
    by_id = {span.span_id: span for span in there}
    children: dict[str, list[KeptSpan]] = {}
    roots = []
    for span in there:
        if span.parent_id is None or span.parent_id not in by_id:
            roots.append(span)
        else:
            children.setdefault(span.parent_id, []).append(span)
    found: list[Row] = []
    seen: set[str] = set()
    _walk(roots, children, found, seen)
    # What is left names each other as parents, in a circle: the first of it is taken for a root.
    for span in there:
        if span.span_id not in seen:
            _walk([span], children, found, seen)
    return found


def _walk(
    roots: Sequence[KeptSpan],
    children: dict[str, list[KeptSpan]],
    found: list[Row],
    seen: set[str],
) -> None:
    """Append the roots and what is below them; no recursion, since depth is the sender's choice."""
    waiting: list[tuple[KeptSpan, tuple[bool, ...], bool]] = [
        (root, (), root.parent_id is not None) for root in reversed(roots)
    ]
    while waiting:
        span, lasts, orphan = waiting.pop()
        if span.span_id in seen:
            continue
        seen.add(span.span_id)
        found.append(Row(span=span, depth=len(lasts), lasts=lasts, orphan=orphan))
        below = children.get(span.span_id, [])
        base = lasts[: DEPTH_MAX - 1]
        waiting += [
            (child, (*base, place == len(below) - 1), False)
            for place, child in reversed(list(enumerate(below)))
        ]


def _order(span: KeptSpan) -> tuple[int, int]:
    return span.start_ns, -span.end_ns
