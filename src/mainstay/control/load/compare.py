"""A report against an earlier one: what got worse, by more than noise. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from mainstay.control.load.report import LoadReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """How much worse is not yet a regression. A figure must be beyond both bounds.

    Attributes:
        share: Relative to the baseline; 0.2 is 20 %.
        floor_ms: Of latencies, absolute: tiny ones double by chance.
        floor_failed_share: Of the failed share, absolute.
    """

    share: float = 0.2
    floor_ms: float = 1.0
    floor_failed_share: float = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure beside its baseline.

    Attributes:
        figure: ``p50_ms``, ``p99_ms``, ``failed_share`` or ``good_per_s``.
        baseline: The earlier value; None where there is none.
        current: The value now; None where there is none.
        regressed: Whether it got worse by more than is tolerated.
    """

    figure: str
    baseline: float | None
    current: float | None
    regressed: bool

    @property
    def change(self) -> float | None:
        """The relative change, 0.5 for half as much again; None where there is none to tell."""
        if self.baseline is None or self.current is None or self.baseline == 0:
            return None
        return self.current / self.baseline - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Figures beside those of a baseline.

    Attributes:
        rows: p50, p99, the failed share and the achieved rate.
        notes: Why the two may not be comparable.
    """

    rows: tuple[Row, ...]
    notes: tuple[str, ...]

    @property
    def regressed(self) -> bool:
        """Whether any figure regressed."""
        return any(row.regressed for row in self.rows)


def compare(baseline: LoadReport, current: LoadReport, tolerance: Tolerance) -> Comparison:
    """Return how ``current`` stands beside ``baseline``."""
    return Comparison(
        rows=(
            _latency_row("p50_ms", baseline, current, tolerance),
            _latency_row("p99_ms", baseline, current, tolerance),
            Row(
                figure="failed_share",
                baseline=baseline.failed_share,
                current=current.failed_share,
                regressed=_above(
                    baseline.failed_share,
                    current.failed_share,
                    share=tolerance.share,
                    floor=tolerance.floor_failed_share,
                ),
            ),
            Row(
                figure="good_per_s",
                baseline=baseline.good_per_s,
                current=current.good_per_s,
                regressed=current.good_per_s < baseline.good_per_s * (1 - tolerance.share),
            ),
        ),
        notes=tuple(_differences(baseline, current)),
    )


def _latency_row(
    figure: str, baseline: LoadReport, current: LoadReport, tolerance: Tolerance
) -> Row:
    then = getattr(baseline.latency, figure) if baseline.latency else None
    now = getattr(current.latency, figure) if current.latency else None
    if then is None or now is None:
        # No latency at all where there once was one is as bad as it gets.
        worse = then is not None
    else:
        worse = _above(then, now, share=tolerance.share, floor=tolerance.floor_ms)
    return Row(figure=figure, baseline=then, current=now, regressed=worse)


def _above(then: float, now: float, *, share: float, floor: float) -> bool:
    return now > then * (1 + share) and now - then > floor


def _differences(baseline: LoadReport, current: LoadReport) -> Iterator[str]:
    if baseline.asked_per_s != current.asked_per_s:
        yield (
            f"the baseline was taken at {baseline.asked_per_s:g} requests/s, "
            f"this run at {current.asked_per_s:g}"
        )
    if baseline.arrivals != current.arrivals:
        yield f"the baseline had {baseline.arrivals} arrivals, this run {current.arrivals} ones"
    names = [target.name for target in baseline.targets]
    if names != [target.name for target in current.targets]:
        yield "the baseline asked for other targets"
    for which, report in (("the baseline", baseline), ("this run", current)):
        if report.generator.fell_behind:
            yield f"in {which} the generator fell behind by {report.generator.lag_max_ms:.0f} ms"
