"""What metrics and labels may be called, by the rules of OpenMetrics 1.0. Decisions alone."""

import re
from collections.abc import Sequence
from enum import Enum

NAME_CHARS_MAX = 200
LABELS_MAX = 12
"""Of one metric. Each one multiplies its series."""

HELP_CHARS_MAX = 500

# A colon is for the names of recording rules.
_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_UNIT = re.compile(r"[a-z][a-z0-9_]*")
_RESERVED_ENDS = ("_total", "_created", "_bucket", "_count", "_sum", "_info")
_RESERVED_LABELS = frozenset({"le", "quantile"})


class Kind(Enum):
    """What a metric is; the value is the word of both formats."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    INFO = "info"


def family_name(name: str, kind: Kind, unit: str) -> str:
    """Return what a metric is called without the suffixes that its samples have.

    A counter may be named with ``_total`` or without: its samples have it in any case. The unit
    is put at the end where it isn't there.

    Args:
        name: As the program says it.
        kind: What it is.
        unit: As ``seconds`` or ``bytes``; empty: none.

    Raises:
        ValueError: The name or the unit is none, or ends with what the formats keep for samples.
    """
    if not _NAME.fullmatch(name) or len(name) > NAME_CHARS_MAX:
        raise ValueError(
            f"{name[:NAME_CHARS_MAX]!r} can't name a metric: letters, digits and underscores, "
            f"at most {NAME_CHARS_MAX}"
        )
    if unit and not _UNIT.fullmatch(unit):
        raise ValueError(f"{unit[:40]!r} is no unit: one lower-case word in the plural, as seconds")
    bare = name.removesuffix("_total") if kind is Kind.COUNTER else name
    reserved = next((end for end in _RESERVED_ENDS if bare.endswith(end)), None)
    if reserved is not None or not bare:
        raise ValueError(
            f"{name!r} can't name a {kind.value}: {reserved or '_total'} at the end is kept for "
            "samples"
        )
    return f"{bare}_{unit}" if unit and not bare.endswith(f"_{unit}") else bare


def check_labels(name: str, labels: Sequence[str]) -> tuple[str, ...]:
    """Return the names of a metric's labels.

    Raises:
        ValueError: One can't name a label, is there twice, or there are too many.
    """
    if isinstance(labels, str):
        raise ValueError(f"{name}: labels are a sequence of names, as ({labels!r},)")  # noqa: TRY004
    for label in labels:
        if not _NAME.fullmatch(label) or label.startswith("__") or len(label) > NAME_CHARS_MAX:
            raise ValueError(f"{name}: {label[:NAME_CHARS_MAX]!r} can't name a label")
        if label in _RESERVED_LABELS:
            raise ValueError(f"{name}: {label!r} is kept for histograms and summaries")
    if len(set(labels)) < len(labels):
        raise ValueError(f"{name}: a label is there twice: {', '.join(labels)}")
    if len(labels) > LABELS_MAX:
        raise ValueError(f"{name}: more than {LABELS_MAX} labels")
    return tuple(labels)
