"""The traces that are kept, as a table for people."""

from collections.abc import Iterable
from typing import Final

from rich.table import Table
from rich.text import Text

from mainstay.cli.drawing import table_text
from mainstay.cli.plain_text import ID_DIGITS, plain
from mainstay.cli.waterfall import duration
from mainstay.control.traces.summary import Summary
from mainstay.core.clock import utc_text

TIME_CHARS: Final = 19
DURATION_CHARS: Final = 10


def trace_list(summaries: Iterable[Summary]) -> str:
    """Return one row for each trace."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    # On a narrow terminal the words give way, never the id and the times.
    table.add_column("trace", no_wrap=True, min_width=ID_DIGITS)
    table.add_column("began (UTC)", no_wrap=True, min_width=TIME_CHARS)
    table.add_column("took", justify="right", no_wrap=True, min_width=DURATION_CHARS)
    table.add_column("spans", justify="right", no_wrap=True, min_width=5)
    for name in ("request", "status", "services"):
        table.add_column(name, no_wrap=True)
    for one in summaries:
        style = "red" if one.failed else ""
        table.add_row(
            Text(one.trace_id[:ID_DIGITS], style="bold"),
            Text(utc_text(one.start_ns / 1e9)[:TIME_CHARS].replace("T", " "), style="dim"),
            Text(duration(one.duration_ns)),
            Text(str(one.spans)),
            Text(plain(f"{one.service} {one.name}"), style=style),
            Text(_status(one), style=style),
            Text(plain(", ".join(one.services)), style="dim"),
        )
    return table_text(table)


def _status(one: Summary) -> str:
    words = [str(one.status)] if one.status is not None else []
    if one.failed:
        words.append("failed")
    if one.kept is not None:
        words.append(f"kept: {plain(one.kept)}")
    return " ".join(words)
