"""Reading the ring: the spans of one trace, and what there is. Needs no daemon, holds up none."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mainstay.control.traces.line import HEAD, span_of
from mainstay.control.traces.ring import segments
from mainstay.control.traces.span import KeptSpan
from mainstay.control.traces.summary import Summary, Tally

REQUEST_ID: Final = "mainstay.request_id"
"""The attribute by which a trace is found, too."""

SPANS_MAX: Final = 20_000
"""Of one trace; the rest of a larger one is counted."""

CANDIDATES_MAX: Final = 8
"""Traces that are named where a prefix means more than one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is kept of one trace.

    Attributes:
        trace_id: The whole one.
        spans: In the order in which they came, each once.
        beyond: How many more there are than SPANS_MAX.
    """

    trace_id: str
    spans: tuple[KeptSpan, ...]
    beyond: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What is kept.

    Attributes:
        summaries: One for each trace, the latest first.
        unreadable: Lines that are none of ours, or were cut short.
    """

    summaries: tuple[Summary, ...]
    unreadable: int


def ids_of(folder: Path, prefix: str) -> list[str]:
    """Return the ids of traces that begin so, CANDIDATES_MAX at most.

    Args:
        folder: Of the ring.
        prefix: Small hexadecimal letters.
    """
    head = HEAD + prefix.encode("ascii")
    ids: dict[str, None] = {}
    for line in _lines(folder):
        if line.startswith(head):
            trace_id = line[len(HEAD) : len(HEAD) + 32].decode("ascii", "replace")
            # Who has read one line of it as a span knows that it is one.
            if trace_id not in ids and span_of(line) is not None:
                ids[trace_id] = None
                if len(ids) >= CANDIDATES_MAX:
                    break
    return list(ids)


def ids_of_request(folder: Path, request_id: str) -> list[str]:
    """Return the ids of traces with a span of this request, CANDIDATES_MAX at most."""
    if not request_id.isascii() or '"' in request_id or "\\" in request_id:
        return []
    said = f'"{REQUEST_ID}":"{request_id}"'.encode()
    ids: dict[str, None] = {}
    for line in _lines(folder):
        if said in line:
            span = span_of(line)
            if span is not None and span.attributes.get(REQUEST_ID) == request_id:
                ids[span.trace_id] = None
                if len(ids) >= CANDIDATES_MAX:
                    break
    return list(ids)


def find(folder: Path, trace_id: str) -> Found:
    """Return what is kept of a trace; no spans where nothing is.

    A span that came twice, since its sender did not hear the answer, is one.
    """
    head = HEAD + trace_id.encode("ascii")
    spans: dict[str, KeptSpan] = {}
    beyond = 0
    for line in _lines(folder):
        if line.startswith(head):
            span = span_of(line)
            if span is None or span.span_id in spans:
                continue
            if len(spans) < SPANS_MAX:
                spans[span.span_id] = span
            else:
                beyond += 1
    return Found(trace_id=trace_id, spans=tuple(spans.values()), beyond=beyond)


def listing(folder: Path, wanted: Callable[[KeptSpan], bool] = lambda _: True) -> Listing:
    """Return a summary of each trace of which a span is wanted, the latest first."""
    tallies: dict[str, Tally] = {}
    matched: set[str] = set()
    unreadable = 0
    for line in _lines(folder):
        span = span_of(line)
        if span is None:
            unreadable += 1
            continue
        tally = tallies.get(span.trace_id)
        if tally is None:
            tally = tallies[span.trace_id] = Tally()
        tally.add(span)
        if wanted(span):
            matched.add(span.trace_id)
    found = (tally.summary(trace_id) for trace_id, tally in tallies.items() if trace_id in matched)
    latest = sorted(found, key=lambda one: one.start_ns, reverse=True)
    return Listing(summaries=tuple(latest), unreadable=unreadable)


def _lines(folder: Path) -> Iterator[bytes]:
    """Yield the lines of all segments, the oldest first; one segment is in memory at a time."""
    for segment in segments(folder):
        try:
            data = segment.path.read_bytes()
        except FileNotFoundError:
            # Its turn came in the ring while we read.
            continue
        # What has no end yet is being written, or was cut short and gets its end with the next.
        whole, _, _ = data.rpartition(b"\n")
        yield from (line for line in whole.split(b"\n") if line)
