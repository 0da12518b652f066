"""Figures as text: Prometheus 0.0.4 and OpenMetrics 1.0, a block at a time. No I/O.

Sources: Prometheus, "Exposition formats"; OpenMetrics 1.0 (2020), section 4.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate

from mainstay.telemetry.metrics.cells import Exemplar
from mainstay.telemetry.metrics.names import Kind
from mainstay.telemetry.metrics.snapshot import Exemplars, Family, Labels, Snapshot, Values

BLOCK_LINES = 256
"""So many lines are made at once: about 0.2 ms, which any event loop can wait for."""

_NUMBERS = frozenset({float, int})
_SPECIAL = {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"}
_NO_EXEMPLARS: Mapping[Labels, Sequence[Exemplar | None]] = {}


def blocks(
    snapshot: Snapshot,
    *,
    openmetrics: bool,
    exemplars: Exemplars | None = None,
    wall_offset_s: float = 0.0,
) -> Iterator[str]:
    """Return the text of a snapshot in pieces, so that others may work between them.

    Args:
        snapshot: What to tell; families in the order of their names.
        openmetrics: Whether as OpenMetrics, else as Prometheus text.
        exemplars: Told in OpenMetrics only: the older format has none.
        wall_offset_s: Wall time less monotonic time, for the exemplars.
    """
    lines: list[str] = []
    for family in sorted(snapshot, key=_name):
        lines += _head(family, openmetrics=openmetrics)
        known = _NO_EXEMPLARS
        if openmetrics and exemplars is not None:
            known = exemplars.get(family.name, _NO_EXEMPLARS)
        for labels, values in snapshot[family].items():
            if family.kind is Kind.HISTOGRAM:
                marks = [_mark(one, wall_offset_s) for one in known.get(labels, ())]
                lines += _histogram(family, labels, values, marks)
            else:
                name = _sample_name(family)
                lines.append(f"{name}{_braced(_pairs(family, labels))} {number(values[0])}\n")
            if len(lines) >= BLOCK_LINES:
                yield "".join(lines)
                lines.clear()
    if openmetrics:
        lines.append("# EOF\n")
    yield "".join(lines)


def number(value: float) -> str:
    """Return a number as both formats write it."""
    # What other libraries take for a number writes itself in its own way, and so does True.
    text = repr(value if type(value) in _NUMBERS else float(value))
    return _SPECIAL.get(text, text)


def _name(family: Family) -> str:
    return family.name


def _sample_name(family: Family) -> str:
    if family.kind is Kind.COUNTER:
        return f"{family.name}_total"
    return f"{family.name}_info" if family.kind is Kind.INFO else family.name


def _head(family: Family, *, openmetrics: bool) -> list[str]:
    """Return the lines about a family. The older format knows samples only, and no info."""
    told = family.help.replace("\\", "\\\\").replace("\n", "\\n")
    if not openmetrics:
        name = _sample_name(family)
        kind = "gauge" if family.kind is Kind.INFO else family.kind.value
        return [f"# HELP {name} {told}\n", f"# TYPE {name} {kind}\n"]
    told = told.replace('"', '\\"')
    lines = [f"# TYPE {family.name} {family.kind.value}\n"]
    if family.unit:
        lines.append(f"# UNIT {family.name} {family.unit}\n")
    return [*lines, f"# HELP {family.name} {told}\n"]


def _histogram(
    family: Family, labels: Labels, values: Values, marks: Sequence[str]
) -> Iterator[str]:
    pairs = _pairs(family, labels)
    head = f'{family.name}_bucket{{{pairs}{"," if pairs else ""}le="'
    count = 0.0
    for at, (bound, count) in enumerate(
        zip((*map(number, family.bounds), "+Inf"), accumulate(values[:-1]), strict=True)
    ):
        yield f'{head}{bound}"}} {number(count)}{marks[at] if marks else ""}\n'
    braced = _braced(pairs)
    yield f"{family.name}_count{braced} {number(count)}\n"
    yield f"{family.name}_sum{braced} {number(values[-1])}\n"


def _pairs(family: Family, labels: Labels) -> str:
    """Return the labels of a series. One without a value is as good as none in both formats."""
    return ",".join(
        [
            f'{name}="{_escaped(value)}"'
            for name, value in zip(family.labels, labels, strict=True)
            if value
        ]
    )


def _braced(pairs: str) -> str:
    return f"{{{pairs}}}" if pairs else ""


def _escaped(value: str) -> str:
    if "\\" in value or '"' in value or "\n" in value:
        return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return value


def _mark(exemplar: Exemplar | None, wall_offset_s: float) -> str:
    if exemplar is None:
        return ""
    at_s = exemplar.at_s + wall_offset_s
    return f' # {{trace_id="{exemplar.trace_id}"}} {number(exemplar.value)} {at_s:.3f}'
