"""All rows, and the metric or family of one.

What counts takes its metrics from here, and ``docs/reference/telemetry.md`` is made of it, so that
neither can have what the other hasn't.
"""

from mainstay.telemetry.metrics.metric import Counter, Gauge, Histogram
from mainstay.telemetry.metrics.names import Kind
from mainstay.telemetry.metrics.registry import Registry
from mainstay.telemetry.metrics.snapshot import Family
from mainstay.telemetry.metrics.table import calls, process, requests, service
from mainstay.telemetry.metrics.table.row import Row

ROWS = requests.ROWS + calls.ROWS + service.ROWS + process.ROWS

FAMILIES = tuple(row.family for row in ROWS)
"""Of all rows: names that no program gives to others."""

_BY_NAME = {row.name: row for row in ROWS}


def counter(registry: Registry, name: str) -> Counter:
    """Return the counter of a row."""
    row = row_of(name, Kind.COUNTER)
    return registry.counter(row.name, row.doc, labels=row.labels, unit=row.unit)


def gauge(registry: Registry, name: str) -> Gauge:
    """Return the gauge of a row."""
    row = row_of(name, Kind.GAUGE)
    return registry.gauge(
        row.name, row.doc, labels=row.labels, unit=row.unit, across=row.across.value
    )


def histogram(registry: Registry, name: str) -> Histogram:
    """Return the histogram of a row."""
    row = row_of(name, Kind.HISTOGRAM)
    return registry.histogram(
        row.name, row.doc, labels=row.labels, unit=row.unit, bounds=row.bounds
    )


def family(name: str) -> Family:
    """Return the family of a row, for figures that are read from elsewhere."""
    return _BY_NAME[name].family


def row_of(name: str, kind: Kind) -> Row:
    """Return a row of the table; what isn't there, or is something else, is a mistake of ours."""
    row = _BY_NAME[name]
    assert row.kind is kind, f"{name} is a {row.kind.value}"
    return row
