"""A row of the table of metrics: one metric, before anybody counts."""

from dataclasses import dataclass

from mainstay.telemetry.metrics.names import Kind
from mainstay.telemetry.metrics.registry import SECONDS
from mainstay.telemetry.metrics.snapshot import Across, Family


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One metric.

    Attributes:
        name: Without the suffixes of samples and unit.
        kind: What it is.
        doc: One sentence.
        group: What it is about: the heading in the reference.
        labels: Their names.
        unit: As ``seconds``; empty: none.
        bounds: Of a histogram.
        across: Of a gauge: what those of several processes make together.
    """

    name: str
    kind: Kind
    doc: str
    group: str
    labels: tuple[str, ...] = ()
    unit: str = ""
    bounds: tuple[float, ...] = ()
    across: Across = Across.SUM

    @property
    def family(self) -> Family:
        """What is read from elsewhere, under this name."""
        return Family(
            name=f"{self.name}_{self.unit}" if self.unit else self.name,
            kind=self.kind,
            help=self.doc,
            unit=self.unit,
            labels=self.labels,
            bounds=self.bounds,
            across=self.across,
        )


def counter_row(group: str, name: str, doc: str, *labels: str, unit: str = "") -> Row:
    """Return the row of a counter."""
    return Row(name=name, kind=Kind.COUNTER, doc=doc, group=group, labels=labels, unit=unit)


def gauge_row(
    group: str, name: str, doc: str, *labels: str, unit: str = "", across: Across = Across.SUM
) -> Row:
    """Return the row of a gauge."""
    return Row(
        name=name, kind=Kind.GAUGE, doc=doc, group=group, labels=labels, unit=unit, across=across
    )


def seconds_row(
    group: str, name: str, doc: str, *labels: str, bounds: tuple[float, ...] = SECONDS
) -> Row:
    """Return the row of a histogram of durations."""
    return Row(
        name=name,
        kind=Kind.HISTOGRAM,
        doc=doc,
        group=group,
        labels=labels,
        unit="seconds",
        bounds=bounds,
    )
