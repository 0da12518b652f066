"""Spans for tests of the ring and what reads it."""

from typing import Any

from mainstay.control.traces.span import KeptSpan

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
MS = 1_000_000
BEGAN_NS = 1_795_000_000 * 1000 * MS


def span(number: int = 1, parent: int | None = None, **changes: Any) -> KeptSpan:
    """Return a span. Any: its fields."""
    fields: dict[str, Any] = {
        "trace_id": TRACE,
        "span_id": f"{number:016x}",
        "parent_id": None if parent is None else f"{parent:016x}",
        "service": "web",
        "instance": "web-1.7",
        "name": f"span {number}",
        "kind": "internal",
        "start_ns": BEGAN_NS + number * MS,
        "end_ns": BEGAN_NS + number * MS + 5 * MS,
        "status": "unset",
        "message": "",
        "attributes": {},
        "moments": (),
    }
    return KeptSpan(**{**fields, **changes})
