"""What a registry, a process or several of them have counted, at one moment. Decisions alone."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from operator import add

from mainstay.telemetry.metrics.cells import Exemplar
from mainstay.telemetry.metrics.names import Kind

OTHER = "(other)"
"""The value of each label of the one series that stands for all beyond a metric's bound."""

Labels = tuple[str, ...]
Values = Sequence[float]
"""Of a counter, a gauge or an info one number; of a histogram the count of each bucket, not added
up, and then the sum."""

Snapshot = dict["Family", dict[Labels, Values]]
Exemplars = Mapping[str, Mapping[Labels, Sequence[Exemplar | None]]]
"""Name of a family and labels of a series to an exemplar for each bucket."""


class Across(Enum):
    """What the gauges of several processes make together."""

    SUM = "sum"
    MAX = "max"
    MIN = "min"


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One metric, without its figures.

    Attributes:
        name: Without the suffixes of samples, with the unit.
        kind: What it is.
        help: One sentence.
        unit: As ``seconds``; empty: none.
        labels: Their names, in the order of a series' values.
        bounds: Upper ends of a histogram's buckets, without the infinite one.
        across: Of a gauge: what those of several processes make together.
    """

    name: str
    kind: Kind
    help: str
    unit: str = ""
    labels: Labels = ()
    bounds: tuple[float, ...] = ()
    across: Across = Across.SUM

    @property
    def width(self) -> int:
        """How many numbers each series has."""
        return len(self.bounds) + 2 if self.kind is Kind.HISTOGRAM else 1

    @property
    def rises(self) -> bool:
        """Whether it only goes up, so that it counts on when its process has ended."""
        return self.kind in {Kind.COUNTER, Kind.HISTOGRAM}

    @property
    def other(self) -> Labels:
        """The labels of the series that stands for all beyond the bound."""
        return (OTHER,) * len(self.labels)

    def fits(self, other: "Family") -> bool:
        """Return whether the figures of both can be added up."""
        return (self.kind, self.labels, self.bounds) == (other.kind, other.labels, other.bounds)

    def together(self, one: Values, another: Values) -> Values:
        """Return what two series make together."""
        if self.kind is Kind.INFO:
            return one
        if self.kind is Kind.GAUGE and self.across is not Across.SUM:
            choose = max if self.across is Across.MAX else min
            return (choose(one[0], another[0]),)
        return tuple(map(add, one, another))


def merge(parts: Iterable[Snapshot], *, series_max: int) -> Snapshot:
    """Return what several processes make together.

    Args:
        parts: Of two families with one name that don't fit, as there may be while another version
            takes over, the first one's figures count.
        series_max: Of one family; those beyond become part of ``other``.
    """
    merged: Snapshot = {}
    known: dict[str, Family] = {}
    for part in parts:
        for family, series in part.items():
            first = known.setdefault(family.name, family)
            if first is family or first.fits(family):
                _add(merged.setdefault(first, {}), first, series, series_max)
    return merged


def rising(part: Snapshot) -> Snapshot:
    """Return what counts on when its process has ended."""
    return {family: series for family, series in part.items() if family.rises}


def _add(
    into: dict[Labels, Values], family: Family, series: Mapping[Labels, Values], series_max: int
) -> None:
    if not into and len(series) <= series_max:
        into.update(series)
        return
    for labels, values in series.items():
        key = labels if labels in into or len(into) < series_max else family.other
        there = into.get(key)
        into[key] = values if there is None else family.together(there, values)
