"""All metrics of one process, and what else is read when somebody asks for them."""

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from threading import RLock
from typing import TypeVar

from mainstay.telemetry.forks import begin_in_children
from mainstay.telemetry.metrics.cells import CounterCell, GaugeCell, HistogramCell
from mainstay.telemetry.metrics.metric import Counter, Gauge, Histogram, Mask
from mainstay.telemetry.metrics.names import HELP_CHARS_MAX, Kind, check_labels, family_name
from mainstay.telemetry.metrics.snapshot import Across, Exemplars, Family, Labels, Snapshot, Values

METRICS_MAX = 1000
SOURCES_MAX = 256
SERIES_MAX = 2000
"""Of one metric, where nobody says."""

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""Bounds of durations. Source: OpenTelemetry's semantic conventions of HTTP metrics, 1.23."""

BOUNDS_MAX = 64

Reading = tuple[Family, Labels, Values]
Source = Callable[[], Iterable[Reading]]
"""Tells figures that are kept elsewhere, when somebody asks. Any thread may be the one."""

M = TypeVar("M", Counter, Gauge, Histogram)


class Registry:
    """The metrics of one process. Safe for threads, tasks and forks.

    A forked child begins with the same metrics and no counts: those are its parent's.

    Args:
        series_max: Of one metric.
        own: Families of Mainstay's own: nobody makes another metric under their names, also where
            they are read from elsewhere or made later.
        mask: Hides secrets in the values of labels; None: they are shown as they are.

    Attributes:
        series_max: As given.
    """

    def __init__(
        self,
        *,
        series_max: int = SERIES_MAX,
        own: Iterable[Family] = (),
        mask: Mask | None = None,
    ) -> None:
        self.series_max = series_max
        self._mask = mask
        self._own = {family.name: family for family in own}
        self._lock = RLock()
        self._metrics: dict[str, Counter | Gauge | Histogram] = {}
        self._sources: tuple[Source, ...] = ()
        self._folded = self.counter(
            "mainstay_telemetry_folded",
            "How often the labels of a metric were one combination too many, and went to (other).",
            labels=("metric",),
        )
        self._unread = self.counter(
            "mainstay_telemetry_unread", "How often a function failed that tells figures.",
            labels=("metric",),
        )  # fmt: skip
        begin_in_children(self.forget)

    def counter(
        self, name: str, doc: str, *, labels: Sequence[str] = (), unit: str = ""
    ) -> Counter:
        """Return a counter: the same one at each call that says the same.

        Args:
            name: With or without ``_total``, which its samples have.
            doc: One sentence about what it counts.
            labels: Names of what tells its series apart.
            unit: As ``bytes``; put at the end of the name where it isn't there.

        Raises:
            ValueError: The name or a label can't be one, or names something else already.
        """
        family = _family(name, Kind.COUNTER, doc, labels, unit)
        return self._metric(Counter, family, lambda: Counter(
            family, CounterCell, series_max=self.series_max, folded=self._fold,
            mask=self._mask))  # fmt: skip

    def gauge(
        self,
        name: str,
        doc: str,
        *,
        labels: Sequence[str] = (),
        unit: str = "",
        across: str = "sum",
        read: Callable[[], float] | None = None,
    ) -> Gauge:
        """Return a gauge: the same one at each call that says the same.

        Args:
            name: What it is called.
            doc: One sentence about what it tells.
            labels: Names of what tells its series apart.
            unit: As ``bytes``; put at the end of the name where it isn't there.
            across: What the gauges of several processes make together: sum, max or min.
            read: Called when somebody asks, by any thread; for gauges without labels. One that
                fails is counted, and the gauge says what it said before.

        Raises:
            ValueError: As of a counter; or it has labels and ``read``.
        """
        family = _family(name, Kind.GAUGE, doc, labels, unit, across=Across(across))
        if read is not None and labels:
            raise ValueError(f"{name}: a function can tell one figure, and no labels")
        gauge = self._metric(Gauge, family, lambda: Gauge(
            family, GaugeCell, series_max=self.series_max, folded=self._fold,
            mask=self._mask))  # fmt: skip
        if read is not None:
            self.read(self._told(gauge, read))
        return gauge

    def histogram(
        self,
        name: str,
        doc: str,
        *,
        labels: Sequence[str] = (),
        unit: str = "seconds",
        bounds: Sequence[float] = SECONDS,
    ) -> Histogram:
        """Return a histogram: the same one at each call that says the same.

        Args:
            name: What it is called.
            doc: One sentence about what it counts.
            labels: Names of what tells its series apart.
            unit: Of what is observed; put at the end of the name where it isn't there.
            bounds: Upper ends of the buckets, rising, finite, at most ``BOUNDS_MAX``.

        Raises:
            ValueError: As of a counter; or the bounds don't rise.
        """
        edges = tuple(map(float, bounds))
        rises = all(low < high for low, high in pairwise(edges))
        if not edges or not rises or len(edges) > BOUNDS_MAX or not all(map(_is_finite, edges)):
            raise ValueError(f"{name}: 1 to {BOUNDS_MAX} finite bounds, each above the one before")
        family = _family(name, Kind.HISTOGRAM, doc, labels, unit, bounds=edges)
        return self._metric(Histogram, family, lambda: Histogram(
            family, lambda: HistogramCell(edges), series_max=self.series_max, folded=self._fold,
            mask=self._mask,
        ))  # fmt: skip

    def read(self, source: Source) -> None:
        """Have figures read from elsewhere whenever somebody asks; bounded by ``SOURCES_MAX``.

        Raises:
            ValueError: There are too many.
        """
        with self._lock:
            if len(self._sources) >= SOURCES_MAX:
                raise ValueError(f"more than {SOURCES_MAX} sources: is one added for each request?")
            self._sources = (*self._sources, source)

    def snapshot(self) -> Snapshot:
        """Return what all metrics say now. Blocks for as long as their sources do."""
        found: Snapshot = {}
        with self._lock:
            known = {name: metric.family for name, metric in self._metrics.items()}
        # First, since some of them write into metrics.
        for source in self._sources:
            for family, labels, values in self._read(source):
                if known.setdefault(family.name, family) != family:
                    # Two families of one name: with both, nobody could read the whole answer.
                    self._unread.labels(family.name).inc()
                    continue
                series = found.setdefault(family, {})
                if len(series) >= self.series_max and labels not in series:
                    self._fold(family.name)
                    labels = family.other  # noqa: PLW2901  What it is counted as.
                    if labels in series:
                        values = family.together(series[labels], values)  # noqa: PLW2901  As above.
                series[labels] = values
        with self._lock:
            metrics = list(self._metrics.values())
        for metric in metrics:
            found[metric.family] = metric.series()
        return found

    def exemplars(self) -> Exemplars:
        """Return the exemplars of histograms."""
        with self._lock:
            metrics = list(self._metrics.values())
        found = {one.family.name: one.exemplars() for one in metrics if isinstance(one, Histogram)}
        return {name: exemplars for name, exemplars in found.items() if exemplars}

    def forget(self) -> None:
        """Begin anew in a forked process."""
        self._lock = RLock()
        for metric in self._metrics.values():
            metric.forget()

    def _read(self, source: Source) -> Iterable[Reading]:
        """Return what a source tells; one that fails takes nothing from the others."""
        try:
            return list(source())
        except Exception:  # noqa: BLE001  Whoever wrote it, an answer without it is better than none.
            # Ours are functions within the function that says what they read.
            self._unread.labels(getattr(source, "__qualname__", "source").partition(".")[0]).inc()
            return ()

    def _metric(self, kind: type[M], family: Family, make: Callable[[], M]) -> M:
        own = self._own.get(family.name)
        if own is not None and own != family:
            raise ValueError(f"{family.name!r} is a metric of Mainstay's own")
        with self._lock:
            there = self._metrics.get(family.name)
            if there is None:
                if len(self._metrics) >= METRICS_MAX:
                    raise ValueError(f"more than {METRICS_MAX} metrics: is one made per request?")
                there = self._metrics[family.name] = make()
            if not isinstance(there, kind) or there.family != family:
                raise ValueError(f"there is a metric {family.name!r} already, and it is another")
            return there

    def _fold(self, name: str) -> None:
        self._folded.labels(name).inc()

    def _told(self, gauge: Gauge, read: Callable[[], float]) -> Source:
        def source() -> Iterable[Reading]:
            try:
                gauge.set(float(read()))
            except (Exception, SystemExit):  # noqa: BLE001  A user's function may raise anything, and exit too.
                self._unread.labels(gauge.family.name).inc()
            return ()

        return source


def _family(
    name: str,
    kind: Kind,
    doc: str,
    labels: Sequence[str],
    unit: str,
    *,
    bounds: tuple[float, ...] = (),
    across: Across = Across.SUM,
) -> Family:
    return Family(
        name=family_name(name, kind, unit),
        kind=kind,
        # Half of a surrogate pair can't be written.
        help=doc[:HELP_CHARS_MAX].encode("utf-8", "replace").decode(),
        unit=unit,
        labels=check_labels(name, labels),
        bounds=bounds,
        across=across,
    )


def _is_finite(number: float) -> bool:
    return abs(number) < float("inf")
