"""Reports and comparisons as text for people. Pure: the same value gives the same lines."""

from collections.abc import Iterator, Sequence
from math import log10

from mainstay.control.load.compare import Comparison, Row
from mainstay.control.load.figures import Bucket, Figures
from mainstay.control.load.recorder import Progress
from mainstay.control.load.report import LoadReport, TargetReport

BAR_WIDTH = 40
_COLUMNS = ("min", "mean", "p50", "p75", "p90", "p95", "p99", "p99.9", "max")


def report_text(report: LoadReport) -> str:
    """Return the whole report: counts, percentiles, the histogram, what to know about both."""
    return "\n".join(_report_lines(report)) + "\n"


def comparison_text(comparison: Comparison) -> str:
    """Return the figures beside their baseline."""
    rows = [("", "baseline", "now", "change", "")]
    rows += [
        (
            row.figure.removesuffix("_ms").replace("_", " "),
            _value(row, row.baseline),
            _value(row, row.current),
            "" if row.change is None else f"{row.change:+.1%}",
            "REGRESSED" if row.regressed else "ok",
        )
        for row in comparison.rows
    ]
    lines = [*_table(rows), *(f"note: {note}" for note in comparison.notes)]
    return "\n".join(lines) + "\n"


def progress_text(progress: Progress) -> str:
    """Return one line about a running test."""
    # Behind the plan's end only late answers are awaited.
    elapsed_s = min(progress.elapsed_s, progress.planned_s)
    parts = [f"{elapsed_s:5.1f} s of {progress.planned_s:g} s"]
    if progress.warming_up:
        return f"{parts[0]}  warming up  in flight {progress.in_flight}"
    parts.append(f"requests {progress.requests}")
    parts.append(f"failed {progress.failed}")
    parts.append(f"in flight {progress.in_flight}")
    if progress.step is not None and progress.step.p99_ms is not None:
        parts.append(f"last p99 {milliseconds(progress.step.p99_ms)}")
    return "  ".join(parts)


def milliseconds(value_ms: float) -> str:
    """Return a duration in the unit that fits it, to three digits."""
    if value_ms < 1:
        return f"{value_ms * 1000:.0f} µs"
    value, unit = (value_ms, "ms") if value_ms < 1000 else (value_ms / 1000, "s")  # noqa: PLR2004
    digits = max(0, 2 - int(log10(value)))
    return f"{value:.{digits}f} {unit}"


def _report_lines(report: LoadReport) -> Iterator[str]:
    if report.interrupted:
        yield f"interrupted after {report.sending_s:.1f} s"
    yield (
        f"{report.requests} requests in {report.duration_s:.1f} s, "
        f"{report.failed} failed ({report.failed_share:.2%})"
    )
    yield (
        f"rate: asked {report.asked_per_s:g}/s, sent {report.sent_per_s:.1f}/s, "
        f"good answers {report.good_per_s:.1f}/s"
    )
    yield from (
        f"  {kind}: {count} ({report.examples.get(kind, '')})"
        for kind, count in report.total.kinds.items()
    )
    if report.total.statuses:
        counts = "  ".join(f"{status}: {n}" for status, n in report.total.statuses.items())
        yield f"status: {counts}"
    yield ""
    yield from _latency_table(report)
    if report.buckets:
        yield ""
        yield from histogram_lines(report.buckets)
    yield ""
    generator = report.generator
    yield (
        f"generator: lag p99 {milliseconds(generator.lag_p99_ms)}, "
        f"max {milliseconds(generator.lag_max_ms)}; {generator.cpu_share:.1%} of a core; "
        f"{generator.connections} connections, {generator.in_flight_peak} requests at once"
    )
    yield from (f"note: {note}" for note in report.notes)


def _latency_table(report: LoadReport) -> Iterator[str]:
    rows: list[Sequence[str]] = [("", "requests", "failed", *_COLUMNS)]
    rows.append(_latency_row("latency", report.total, report.total.latency))
    rows.append(_latency_row("service", report.total, report.total.service))
    if len(report.targets) > 1:
        rows += [_latency_row(one.name, one, one.latency) for one in report.targets]
    yield from _table(rows)


def _latency_row(name: str, target: TargetReport, figures: Figures | None) -> Sequence[str]:
    counts = (name[:40], str(target.requests), str(target.failed))
    if figures is None:
        return (*counts, *("-" for _ in _COLUMNS))
    values = (
        figures.min_ms, figures.mean_ms, figures.p50_ms, figures.p75_ms, figures.p90_ms,
        figures.p95_ms, figures.p99_ms, figures.p99_9_ms, figures.max_ms,
    )  # fmt: skip
    return (*counts, *(milliseconds(value) for value in values))


def histogram_lines(buckets: Sequence[Bucket]) -> Iterator[str]:
    """Yield a line a bucket. Bars grow with the logarithm, so that one request in 100,000 shows."""
    most = max(bucket.count for bucket in buckets)
    for bucket in buckets:
        bar = "█" * bar_length(bucket.count, most)
        yield f"  ≤ {milliseconds(bucket.upto_ms):>7}  {bar:<{BAR_WIDTH}}  {bucket.count}"
    yield f"  {'':>9}  each full bar is {most} requests; lengths are logarithmic"


def bar_length(count: int, most: int) -> int:
    """Return 0 for none, 1 for one, BAR_WIDTH for ``most``, by the logarithm between them."""
    if count == 0:
        return 0
    if most == 1:
        return BAR_WIDTH
    return 1 + round((BAR_WIDTH - 1) * log10(count) / log10(most))


def _value(row: Row, value: float | None) -> str:
    if value is None:
        return "-"
    if row.figure.endswith("_ms"):
        return milliseconds(value)
    return f"{value:.2%}" if row.figure.endswith("_share") else f"{value:.1f}"


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for first, *others in rows:
        cells = [f"{cell:>{width}}" for cell, width in zip(others, widths[1:], strict=True)]
        yield f"{first:<{widths[0]}}  {'  '.join(cells)}".rstrip()
