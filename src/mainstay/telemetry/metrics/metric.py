"""Counters, gauges and histograms: a metric, and the cell of each of its series.

A series is looked up once and kept where its labels are known beforehand::

    placed = orders.labels("eu", "card")
    placed.inc()

or each time, which costs a look into a dict: ``orders.labels(region, method).inc()``.
"""

from collections.abc import Callable
from threading import RLock
from typing import Generic, TypeVar

from mainstay.telemetry.metrics.cells import (
    Cell,
    CounterCell,
    Exemplar,
    GaugeCell,
    HistogramCell,
)
from mainstay.telemetry.metrics.snapshot import Family, Labels, Values

LABEL_CHARS_MAX = 256
"""Of a value; what is longer is cut."""

Mask = Callable[[str, str], str]
"""Returns what may be shown of the value of a label, by the label's name."""

C = TypeVar("C", bound=Cell)


class Metric(Generic[C]):
    """One metric of this process.

    Args:
        family: What it is.
        make: Makes a cell.
        series_max: Labels beyond so many series are folded into one.
        folded: Told the metric's name each time that happens.
        mask: Hides secrets in the values of labels; None: they are shown as they are.

    Attributes:
        family: As given.
    """

    __slots__ = ("_cells", "_folded", "_lock", "_make", "_mask", "_max", "family")

    def __init__(
        self,
        family: Family,
        make: Callable[[], C],
        *,
        series_max: int,
        folded: Callable[[str], object],
        mask: Mask | None = None,
    ) -> None:
        self.family = family
        self._make = make
        self._max = series_max
        self._folded = folded
        self._mask = mask
        self._lock = RLock()
        self._cells: dict[Labels, C] = {}
        if not family.labels:
            # There from the start: that nothing has happened yet is worth knowing.
            self._cells[()] = make()

    def labels(self, *values: str, **named: str) -> C:
        """Return the cell of one series; what isn't text becomes it.

        Args:
            values: Of the labels, in their order.
            named: The same, by the names of the labels, which costs more.

        Raises:
            ValueError: There are others than the metric has.
        """
        # Only what is known by exactly these values is found: 1 and True are other texts.
        cell = self._cells.get(values)
        if cell is None or named:
            return self._find(values, named)
        return cell

    def is_other(self, cell: C) -> bool:
        """Return whether a cell is the one of all series beyond the bound: not to be kept."""
        return bool(self.family.labels) and cell is self._cells.get(self.family.other)

    def series(self) -> dict[Labels, Values]:
        """Return what was counted so far."""
        return {labels: cell.read() for labels, cell in self.cells().items()}

    def cells(self) -> dict[Labels, C]:
        """Return the cells there are, by their labels."""
        with self._lock:
            return dict(self._cells)

    def forget(self) -> None:
        """Begin anew in a forked process: what was counted is its parent's. Cells stay the same."""
        self._lock = RLock()
        for cell in self.cells().values():
            cell.reset()

    def _find(self, values: tuple[object, ...], named: dict[str, str]) -> C:
        key = self._key(values, named)
        with self._lock:
            cell = self._cells.get(key)
            folds = cell is None and len(self._cells) >= self._max
            if folds:
                key = self.family.other
                cell = self._cells.get(key)
            if cell is None:
                cell = self._cells[key] = self._make()
        if folds:
            self._folded(self.family.name)
        return cell

    def _key(self, values: tuple[object, ...], named: dict[str, str]) -> Labels:
        names = self.family.labels
        if named:
            if values or named.keys() != set(names):
                raise ValueError(
                    f"{self.family.name} has the labels {', '.join(names) or '(none)'}, "
                    f"not {', '.join(named)}"
                )
            values = tuple(named[name] for name in names)
        if len(values) != len(names):
            raise ValueError(f"{self.family.name} has {len(names)} labels, not {len(values)}")
        if self._mask is None:
            return tuple(map(_text, values))
        # Once for each series, unless something was hidden: such labels are known by their mask.
        return tuple(map(self._mask, names, map(_text, values)))

    def _only(self) -> C:
        """Return the cell of a metric that has no labels."""
        try:
            return self._cells[()]
        except KeyError:
            names = ", ".join(self.family.labels)
            raise ValueError(f"{self.family.name} has labels: .labels({names}) first") from None


class Counter(Metric[CounterCell]):
    """Counts what happened; it only goes up."""

    __slots__ = ()

    def inc(self, amount: float = 1) -> None:
        """Count, where there are no labels; see ``CounterCell.inc``."""
        self._only().inc(amount)


class Gauge(Metric[GaugeCell]):
    """Says how much there is of something now."""

    __slots__ = ()

    def set(self, value: float) -> None:
        """Say what it is now, where there are no labels."""
        self._only().set(value)

    def inc(self, amount: float = 1) -> None:
        """Add to what it is, where there are no labels."""
        self._only().inc(amount)

    def dec(self, amount: float = 1) -> None:
        """Take from what it is, where there are no labels."""
        self._only().dec(amount)


class Histogram(Metric[HistogramCell]):
    """Counts values by their size."""

    __slots__ = ()

    def observe(self, value: float) -> None:
        """Count a value, where there are no labels; see ``HistogramCell.observe``."""
        self._only().observe(value)

    def exemplars(self) -> dict[Labels, tuple[Exemplar | None, ...]]:
        """Return the exemplars of each series that has any."""
        found = {labels: cell.exemplars() for labels, cell in self.cells().items()}
        return {labels: exemplars for labels, exemplars in found.items() if exemplars}


def _text(value: object) -> str:
    text = value if isinstance(value, str) else str(value)
    if not text.isascii():
        # Half of a surrogate pair can't be written.
        text = text.encode("utf-8", "replace").decode()
    return text[:LABEL_CHARS_MAX]
