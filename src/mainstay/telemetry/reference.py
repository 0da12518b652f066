"""``docs/reference/telemetry.md``, made of the tables that telemetry itself counts by."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby

from mainstay.telemetry.metrics.names import Kind
from mainstay.telemetry.metrics.snapshot import Across
from mainstay.telemetry.metrics.table import ROWS, Row

_HEAD = """# Telemetry: every name

This page is made of the table of metrics in the code, and of what the tests hold of other signals;
`tests/telemetry/test_reference.py` holds it. How to use it: [metrics](../guides/metrics.md).

Names of HTTP are those of OpenTelemetry's semantic conventions as Prometheus writes them, in
seconds. What policies do begins with `mainstay_`. A label that has no value is left away. Values
beyond `telemetry.metrics.series_max` for one metric become `(other)`, and are counted in
`mainstay_telemetry_folded_total`; the route of what matched none is `(unmatched)`.
"""

_TOGETHER = {
    Across.SUM: "",
    Across.MAX: " Of several processes the highest.",
    Across.MIN: " Of several processes the lowest.",
}


def reference_page(others: Mapping[str, str]) -> str:
    """Return the page.

    Args:
        others: Heading and names of each signal that has no table in the code.
    """
    lists = (f"\n## {heading}\n```text\n{names}```\n" for heading, names in others.items())
    return "".join((_HEAD, *_sections(ROWS), *lists))


def _sections(rows: Iterable[Row]) -> Iterator[str]:
    for group, members in groupby(rows, key=lambda row: row.group):
        yield f"\n## {group}\n| metric | labels | what it tells |\n|---|---|---|\n"
        for row in members:
            labels = ", ".join(f"`{label}`" for label in row.labels) or "–"
            together = _TOGETHER[row.across] if row.kind is Kind.GAUGE else ""
            yield f"| `{_told_name(row)}` {row.kind.value} | {labels} | {row.doc}{together} |\n"


def _told_name(row: Row) -> str:
    name = row.family.name
    if row.kind is Kind.COUNTER:
        return f"{name}_total"
    return f"{name}_info" if row.kind is Kind.INFO else name
