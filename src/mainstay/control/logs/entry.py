"""What a line of a log says: its time, its level, its fields. Never raises, whatever was written.

Services, the proxy and other programs name the same things differently: all of their names are
known here.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from mainstay.control.logs.follower import Line

LEVELS: Final = ("debug", "info", "warning", "error", "critical")

TIME_KEYS: Final = ("timestamp", "time", "@timestamp", "ts")
LEVEL_KEYS: Final = ("level", "severity", "levelname", "log.level")
EVENT_KEYS: Final = ("event", "message", "msg")
TRACE_KEYS: Final = ("trace_id", "traceparent", "request_id")

_ALIASES: Final = {
    "trace": "debug", "notset": "debug", "notice": "info", "success": "info", "warn": "warning",
    "err": "error", "exception": "error", "fatal": "critical", "panic": "critical",
}  # fmt: skip

_SERVER_ERRORS_FROM: Final = 500
_MILLISECONDS_FROM: Final = 1e11
"""A number of seconds since 1970 that is larger is one of milliseconds."""

_WORD = re.compile(
    r"\b(DEBUG|INFO|NOTICE|WARN(?:ING)?|ERROR|CRITICAL|FATAL|PANIC)\b"
    r"|^(Traceback \(most recent call last\)|[\w.]+(?:Error|Exception)\b)"
)
_WORD_CHARS_MAX: Final = 120
"""So far into a text a level is looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line, read.

    Attributes:
        replica: Who wrote it; ``edge`` for the proxy.
        text: As it was written.
        fields: Of an object in JSON; None for any other text.
        at_s: When, in seconds since 1970; None where it doesn't say.
        level: One of LEVELS; None where it doesn't say.
    """

    replica: str
    text: str
    fields: Mapping[str, Any] | None  # Any: what JSON has.
    at_s: float | None
    level: str | None

    def first(self, names: tuple[str, ...]) -> Any:
        """Return the first of these fields that is there, or None. Any: what JSON has."""
        fields = self.fields or {}
        return next((fields[name] for name in names if fields.get(name) is not None), None)


def entry_of(line: Line) -> Entry:
    """Return what a line says."""
    fields = _fields(line.text)
    if fields is None:
        level = _level_in(line.text)
        return Entry(replica=line.replica, text=line.text, fields=None, at_s=None, level=level)
    at_s = next(
        (at_s for name in TIME_KEYS if (at_s := time_of(fields.get(name))) is not None), None
    )
    return Entry(
        replica=line.replica, text=line.text, fields=fields, at_s=at_s, level=_level_of(fields)
    )


def time_of(said: object) -> float | None:
    """Return the seconds since 1970 of a time as logs have it; None for what is none."""
    try:
        if isinstance(said, str):
            found = datetime.fromisoformat(said)
            # Without a zone it is UTC, as everything of ours.
            return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
        if isinstance(said, int | float) and not isinstance(said, bool) and math.isfinite(said):
            return said / 1000 if said > _MILLISECONDS_FROM else float(said)
    except (ValueError, OverflowError):
        pass
    return None


def _fields(text: str) -> dict[str, Any] | None:
    if not text.startswith("{"):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _level_of(fields: Mapping[str, Any]) -> str | None:
    for name in LEVEL_KEYS:
        said = fields.get(name)
        if isinstance(said, str):
            small = said.lower()
            found = _ALIASES.get(small, small)
            if found in LEVELS:
                return found
    status = fields.get("status")
    if isinstance(status, int) and "method" in fields:
        # The proxy's lines have none.
        return "error" if status >= _SERVER_ERRORS_FROM else "info"
    return None


def _level_in(text: str) -> str | None:
    found = _WORD.search(text[:_WORD_CHARS_MAX])
    if found is None:
        return None
    small = (found[1] or "error").lower()
    return _ALIASES.get(small, small)
