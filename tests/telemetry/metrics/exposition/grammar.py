"""OpenMetrics 1.0 as a reader of our own: the grammar of section 4, and what section 5 adds to it.

Written by the specification and apart from what writes the text, so that neither a mistake of ours
nor a leniency of a parser hides. Source: OpenMetrics 1.0 (2020), sections 4.1, 4.2, 4.6 and 5.
"""

import math
import re
from dataclasses import dataclass, field

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_LABEL = r"[a-zA-Z_][a-zA-Z0-9_]*"
# A backslash stands before itself, a quote or an "n"; nothing else is escaped.
_STRING = r'"(?:[^"\\\n]|\\[\\"n])*"'
_ESCAPED = r'(?:[^"\\\n]|\\[\\"n])*'
_LABELS = rf"\{{(?:{_LABEL}={_STRING}(?:,{_LABEL}={_STRING})*)?\}}"
_REAL = r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_NUMBER = rf"(?:{_REAL}|[+-]?(?:[iI][nN][fF](?:[iI][nN][iI][tT][yY])?)|[nN][aA][nN])"
_EXEMPLAR = rf" \# (?P<marks>{_LABELS}) (?P<marked>{_NUMBER})(?: (?P<at>{_REAL}))?"
_SAMPLE = re.compile(
    rf"(?P<name>{_NAME})(?P<labels>{_LABELS})? (?P<value>{_NUMBER})"
    rf"(?: {_REAL})?(?P<exemplar>{_EXEMPLAR})?"
)
_TYPES = "counter|gauge|histogram|gaugehistogram|stateset|info|summary|unknown"
_HEAD = re.compile(
    rf"# (?:TYPE (?P<typed>{_NAME}) (?P<type>{_TYPES})"
    rf"|UNIT (?P<measured>{_NAME}) (?P<unit>{_LABEL})"
    rf"|HELP (?P<helped>{_NAME}) (?P<help>{_ESCAPED}))"
)
_PAIR = re.compile(rf"({_LABEL})=({_STRING})")
_ENDS = {
    "counter": ("_total", "_created"),
    "gauge": ("",),
    "histogram": ("_bucket", "_count", "_sum", "_created"),
    "info": ("_info",),
}
_MARK_CHARS_MAX = 128

Labels = tuple[tuple[str, str], ...]


class Wrong(ValueError):
    """A text is no OpenMetrics."""


@dataclass
class Metrics:
    """One family, and its samples by name and labels, in their order."""

    name: str
    kind: str = "unknown"
    unit: str = ""
    told: str = ""
    samples: dict[tuple[str, Labels], float] = field(default_factory=dict)
    exemplars: dict[tuple[str, Labels], tuple[Labels, float]] = field(default_factory=dict)


def read(text: str) -> dict[str, Metrics]:
    """Return the families of a text.

    Raises:
        Wrong: It breaks a rule.
    """
    if text != "# EOF\n" and not text.endswith("\n# EOF\n"):
        raise Wrong("it ends with # EOF and a line feed")
    found: dict[str, Metrics] = {}
    now: Metrics | None = None
    for line in text.split("\n")[:-2]:
        head = _HEAD.fullmatch(line)
        if head is not None:
            now = _headed(found, now, head)
            continue
        sample = _SAMPLE.fullmatch(line)
        if sample is None:
            raise Wrong(f"no line of the grammar: {line!r}")
        if now is None:
            raise Wrong(f"a sample of no family: {line!r}")
        _add(now, sample)
    for one in found.values():
        _check(one)
    return found


def _headed(found: dict[str, Metrics], now: Metrics | None, head: re.Match[str]) -> Metrics:
    name = head["typed"] or head["measured"] or head["helped"]
    if now is None or now.name != name:
        if name in found:
            raise Wrong(f"{name} is there twice, or not in one piece")
        now = found[name] = Metrics(name)
    if now.samples:
        raise Wrong(f"{name}: told about after its samples")
    if head["type"]:
        now.kind = head["type"]
    elif head["unit"]:
        now.unit = head["unit"]
        if not name.endswith(f"_{now.unit}"):
            raise Wrong(f"{name} does not end with its unit")
    else:
        now.told = _plain(head["help"])
    return now


def _add(now: Metrics, sample: re.Match[str]) -> None:
    name, labels = sample["name"], _labels(sample["labels"])
    if name.removeprefix(now.name) not in _ENDS[now.kind] or not name.startswith(now.name):
        raise Wrong(f"{name} is no sample of a {now.kind} {now.name}")
    if (name, labels) in now.samples:
        raise Wrong(f"{name}{labels} is there twice")
    now.samples[name, labels] = float(sample["value"])
    if sample["exemplar"]:
        if not name.endswith(("_bucket", "_total")):
            raise Wrong(f"{name} has an exemplar")
        marks = _labels(sample["marks"])
        if sum(len(key) + len(value) for key, value in marks) > _MARK_CHARS_MAX:
            raise Wrong(f"the exemplar of {name} is longer than {_MARK_CHARS_MAX}")
        now.exemplars[name, labels] = marks, float(sample["marked"])


def _check(one: Metrics) -> None:
    """Check what the kind of a family asks of its samples together."""
    if one.kind in {"counter", "histogram"} and any(
        value < 0 or math.isnan(value) for value in one.samples.values()
    ):
        raise Wrong(f"{one.name} counts what is less than nothing")
    if one.kind == "info" and set(one.samples.values()) - {1.0}:
        raise Wrong(f"{one.name} is an info of another value than 1")
    if one.kind == "histogram":
        _check_buckets(one)


def _check_buckets(one: Metrics) -> None:
    series: dict[Labels, list[tuple[float, float]]] = {}
    for (name, labels), value in one.samples.items():
        if name.endswith("_bucket"):
            rest = tuple(pair for pair in labels if pair[0] != "le")
            series.setdefault(rest, []).append((float(dict(labels)["le"]), value))
    for labels, buckets in series.items():
        bounds, counts = [low for low, _ in buckets], [count for _, count in buckets]
        if bounds != sorted(set(bounds)) or bounds[-1] != math.inf or counts != sorted(counts):
            raise Wrong(f"buckets of {one.name}{labels} don't rise to +Inf")
        if one.samples[f"{one.name}_count", labels] != counts[-1]:
            raise Wrong(f"{one.name}{labels}: the count is not that of +Inf")
    for name, labels in one.exemplars:
        _check_exemplar(one, name, labels)


def _check_exemplar(one: Metrics, name: str, labels: Labels) -> None:
    value = one.exemplars[name, labels][1]
    if value > float(dict(labels)["le"]):
        raise Wrong(f"an exemplar of {name}{labels} is not of its bucket: {value}")


def _labels(text: str | None) -> Labels:
    pairs = tuple((key, _plain(value[1:-1])) for key, value in _PAIR.findall(text or ""))
    if len({key for key, _ in pairs}) < len(pairs):
        raise Wrong(f"a label is there twice: {text}")
    return pairs


def _plain(escaped: str) -> str:
    return re.sub(r"\\(.)", lambda one: "\n" if one[1] == "n" else one[1], escaped)
