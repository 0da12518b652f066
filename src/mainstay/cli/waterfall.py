"""A trace as people read it: a tree of spans, and a bar for each that says when it ran."""

import shutil
from collections.abc import Iterator, Sequence
from typing import Final

import click
from rich.cells import cell_len, set_cell_size

from mainstay.cli.plain_text import colour_of, plain, short_text
from mainstay.control.traces.kept import Found
from mainstay.control.traces.span import KeptMoment, KeptSpan
from mainstay.control.traces.summary import KEPT, STATUS
from mainstay.control.traces.tree import Row, rows
from mainstay.core.clock import utc_text

ROWS_MAX: Final = 2000
"""Spans that are drawn; nobody reads more, and --json has all."""

WIDTH_MIN: Final = 60
PIPE_COLUMNS: Final = 160
BAR_MIN: Final = 16
MOMENTS_MAX: Final = 8
"""Of one span; the rest is counted."""

_NUMBERS: Final = 22
"""Columns of the two times beside a bar."""

_SHOWN: Final = (
    ("mainstay.attempt", "attempt"),
    ("mainstay.outcome", "outcome"),
    ("mainstay.problem", "problem"),
    (KEPT, "kept"),
    ("error.type", "error"),
)
"""Attributes that are shown beside a span, and by which name."""

_MS: Final = 1_000_000
_SECONDS_FROM_MS: Final = 100_000
_DAYS_FROM_MS: Final = 100_000_000
_EIGHTHS: Final = "▏▎▍▌▋▊▉█"


def waterfall(found: Found, *, columns: int | None = None) -> Iterator[str]:
    """Yield the lines of a trace, coloured.

    Args:
        found: With a span at least.
        columns: Of the terminal; None asks it.
    """
    columns = max(WIDTH_MIN, columns or shutil.get_terminal_size((PIPE_COLUMNS, 24)).columns)
    spans = found.spans
    start_ns = min(span.start_ns for span in spans)
    total_ns = max(1, max(span.end_ns for span in spans) - start_ns)
    yield _heading(found, start_ns, total_ns)
    every = rows(spans)
    shown = every[:ROWS_MAX]
    longest = max(cell_len(_label(row)) for row in shown)
    label_columns = min(longest, columns - _NUMBERS - BAR_MIN)
    bar_columns = columns - _NUMBERS - label_columns
    for row in shown:
        yield _line(row, start_ns, total_ns, label_columns, bar_columns)
        yield from _moments(row, start_ns)
    left = len(every) - len(shown) + found.beyond
    if left:
        yield click.style(f"{left} more spans: --json has those that are kept", dim=True)


def _heading(found: Found, start_ns: int, total_ns: int) -> str:
    services = len({span.service for span in found.spans})
    failed = sum(span.failed for span in found.spans)
    parts = [
        click.style(found.trace_id, bold=True),
        utc_text(start_ns / 1e9),
        duration(total_ns),
        _count(len(found.spans) + found.beyond, "span"),
        _count(services, "service"),
    ]
    if failed:
        parts.append(click.style(f"{failed} failed", fg="red"))
    return "  ".join(parts)


def _line(row: Row, start_ns: int, total_ns: int, label_columns: int, bar_columns: int) -> str:
    span = row.span
    label = set_cell_size(_label(row), label_columns)
    red = "red" if span.failed else None
    offset = duration(span.start_ns - start_ns).rjust(10)
    took = duration(span.end_ns - span.start_ns).rjust(10)
    bar = _bar(span, start_ns, total_ns, bar_columns - 2)
    return (
        click.style(label, fg=red)
        + click.style(offset, dim=True)
        + " "
        + click.style(took, fg=red)
        + "  "
        + click.style(bar, fg=red or colour_of(span.service))
    ).rstrip()


def _label(row: Row) -> str:
    """Return what a span is: its place in the tree, service, name, status, what is of interest."""
    span = row.span
    parts = [_branch(row) + plain(span.service), plain(span.name)]
    status = span.attributes.get(STATUS)
    if status is not None:
        parts.append(short_text(status))
    for attribute, name in _SHOWN:
        value = span.attributes.get(attribute)
        # The type of an error that is only the status says nothing more.
        if value is not None and str(value) != str(status):
            parts.append(f"{name}={short_text(value)}")
    if span.message:
        parts.append(f"({plain(span.message)})")
    if row.orphan and row.depth == 0 and span.kind != "server":
        parts.append("(its parent is not kept)")
    return "  ".join(parts)


def _branch(row: Row) -> str:
    if not row.depth:
        return ""
    above = "".join("   " if last else "│  " for last in row.lasts[:-1])
    return above + ("└─ " if row.lasts[-1] else "├─ ")


def _below(row: Row) -> str:
    return "".join("   " if last else "│  " for last in row.lasts)


def _bar(span: KeptSpan, start_ns: int, total_ns: int, columns: int) -> str:
    """Return a bar whose place and length are to scale; the shortest is still seen."""
    eighths = columns * 8
    begin = (span.start_ns - start_ns) * eighths // total_ns
    length = max(1, (span.end_ns - span.start_ns) * eighths // total_ns)
    place = min(begin // 8, columns - 1)
    whole, rest = divmod(min(length, (columns - place) * 8), 8)
    return " " * place + _EIGHTHS[-1] * whole + (_EIGHTHS[rest - 1] if rest else "")


def _moments(row: Row, start_ns: int) -> Iterator[str]:
    """Yield a line for each thing that happened during a span."""
    moments: Sequence[KeptMoment] = row.span.moments
    for moment in moments[:MOMENTS_MAX]:
        failed = moment.name == "exception"
        text = f"{_below(row)}   · {duration(moment.at_ns - start_ns)}  {_told(moment)}"
        yield click.style(text, fg="red" if failed else None, dim=not failed)
    if len(moments) > MOMENTS_MAX:
        yield click.style(f"{_below(row)}   · {len(moments) - MOMENTS_MAX} more events", dim=True)


def _told(moment: KeptMoment) -> str:
    found = moment.attributes
    if moment.name == "exception":
        kind, said = (found.get(f"exception.{name}", "") for name in ("type", "message"))
        return plain(f"{kind}: {said}".rstrip(": "))
    pairs = (f"{plain(name)}={short_text(value)}" for name, value in found.items())
    return "  ".join((plain(moment.name), *pairs))


def duration(nanoseconds: int) -> str:
    """Return a duration in milliseconds, as long as that is readable; in ten columns at most."""
    ms = nanoseconds / _MS
    if abs(ms) >= _DAYS_FROM_MS:
        return f"{ms / 86_400_000:.1f} d"
    if abs(ms) >= _SECONDS_FROM_MS:
        return f"{ms / 1000:.1f} s"
    return f"{ms:.1f} ms" if abs(ms) >= 10 else f"{ms:.2f} ms"  # noqa: PLR2004  Three digits.


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
