"""A report as JSON, and back: what ``--json`` prints and ``--baseline`` reads."""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from math import isfinite
from pathlib import Path
from types import UnionType
from typing import Any, cast, get_args, get_origin, get_type_hints

from mainstay.control.load.report import LoadReport
from mainstay.core.errors import LoadRefused

FORMAT = "mainstay-load/1"
REPORT_BYTES_MAX = 16 * 2**20
"""Largest report that is read; a real one has less than 200 KB."""


class ReportInvalid(LoadRefused):
    """A file or text is not a report of a load test."""


def report_to_json(report: LoadReport) -> str:
    """Return the report as one JSON object; ``report_from_json`` is its inverse."""
    return json.dumps({"format": FORMAT, **asdict(report)}, indent=2)


def report_from_json(text: str) -> LoadReport:
    """Read a report. Keys that this version does not know are passed over.

    Raises:
        ReportInvalid: Not JSON, not a report, or something in it is missing or not of its type.
    """
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ReportInvalid(f"not JSON: {str(error)[:200]}") from error
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        raise ReportInvalid(f"not a report of `mainstay load`, whose format is {FORMAT}")
    return cast("LoadReport", _read(LoadReport, raw, "the report"))


def load_report(path: Path) -> LoadReport:
    """Read the report in a file.

    Raises:
        ReportInvalid: The file cannot be read, or is not a report.
    """
    try:
        with path.open("rb") as file:
            content = file.read(REPORT_BYTES_MAX + 1)
    except OSError as error:
        raise ReportInvalid(f"{path}: {error.strerror}") from error
    if len(content) > REPORT_BYTES_MAX:
        raise ReportInvalid(f"{path}: larger than any report ({REPORT_BYTES_MAX} bytes)")
    try:
        return report_from_json(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ReportInvalid(f"{path}: not a report: no UTF-8 text") from error
    except ReportInvalid as error:
        raise ReportInvalid(f"{path}: {error}") from error


# Any: JSON is any value until it has been read as the type that the field declares.
def _read(kind: Any, raw: Any, where: str) -> Any:
    if isinstance(kind, UnionType):
        # Each union of a report is "something or None".
        return None if raw is None else _read(get_args(kind)[0], raw, where)
    if is_dataclass(kind):
        return _read_section(cast("type", kind), raw, where)
    if get_origin(kind) is tuple:
        items = _typed(raw, list, where)
        return tuple(_read(get_args(kind)[0], item, where) for item in items)
    if get_origin(kind) is Mapping:
        pairs = _typed(raw, dict, where)
        return {name: _read(get_args(kind)[1], value, where) for name, value in pairs.items()}
    if kind is float:
        number = _typed(raw, (int, float), where)
        if isinstance(number, bool) or not isfinite(number):
            raise ReportInvalid(f"not a number: {where}")
        return float(number)
    if kind is int and isinstance(raw, bool):
        raise ReportInvalid(f"not a number: {where}")
    return _typed(raw, kind, where)


def _read_section(kind: type, raw: Any, where: str) -> Any:
    section = _typed(raw, dict, where)
    hints = get_type_hints(kind)
    values = {}
    for field in fields(kind):
        if field.name not in section:
            raise ReportInvalid(f"{field.name} is missing from {where}")
        values[field.name] = _read(hints[field.name], section[field.name], field.name)
    return kind(**values)


def _typed(raw: Any, kind: Any, where: str) -> Any:
    if not isinstance(raw, kind):
        raise ReportInvalid(f"{where} is not of its type")
    return raw
