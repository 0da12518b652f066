"""A line of a log as people read it: when, how bad, who, what, and the rest as key=value."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import click

from mainstay.cli.plain_text import ID_DIGITS, colour_of, plain, value_text
from mainstay.control.logs.entry import EVENT_KEYS, LEVEL_KEYS, TIME_KEYS, Entry
from mainstay.control.logs.wanted import EDGE

_LEVELS: Final[Mapping[str | None, tuple[str, dict[str, Any]]]] = {
    # Any: what click.style takes.
    "debug": ("DEBUG", {"dim": True}),
    "info": ("INFO ", {"fg": "green"}),
    "warning": ("WARN ", {"fg": "yellow"}),
    "error": ("ERROR", {"fg": "red"}),
    "critical": ("CRIT ", {"fg": "red", "bold": True}),
    None: ("     ", {}),
}

_SAID_ELSEWHERE: Final = frozenset(
    (*TIME_KEYS, *LEVEL_KEYS, "version", "environment", "replica", "span_id", "exception")
)
"""Fields that are shown otherwise, or the same in every line of a replica."""

_OF_A_REQUEST: Final = frozenset({"method", "path", "status", "duration_ms", "event", "logger"})

_ACCESS: Final = "mainstay.access"
_SAME_AS_PATH: Final = "route"
_TIME_CHARS: Final = 12
_NAME_CHARS_MAX: Final = 24
_BAD_FROM: Final = 500
_REFUSED_FROM: Final = 400
_BRIEF_MAX: Final = 1e12
"""Milliseconds: thirty years. What is larger took no such time, and may be no float at all."""


class LogText:
    """Makes the text of entries; columns are as wide as what they had to hold so far.

    Args:
        brief: Times without their day, for who looks on.
    """

    def __init__(self, *, brief: bool) -> None:
        self._brief = brief
        self._name_chars = 0

    def widen(self, entries: Sequence[Entry]) -> None:
        """Make room for the names of these entries."""
        widest = max((len(one.replica) for one in entries), default=0)
        self._name_chars = min(max(self._name_chars, widest), _NAME_CHARS_MAX)

    def lines(self, entry: Entry) -> Iterator[str]:
        """Yield the line of an entry, and further ones for its exception."""
        name = click.style(entry.replica.ljust(self._name_chars), fg=colour_of(entry.replica))
        word, style = _LEVELS[entry.level if entry.fields is not None else None]
        if entry.fields is None:
            yield f"{self._time(None)} {word} {name}  {plain(entry.text)}"
            return
        parts = [_what(entry), *_rest(entry)]
        said = "  ".join(part for part in parts if part)
        yield f"{self._time(entry)} {click.style(word, **style)} {name}  {said}"
        exception = entry.fields.get("exception")
        if isinstance(exception, str):
            for line in exception.rstrip().split("\n"):
                yield click.style(f"    {plain(line)}", fg="red")

    def _time(self, entry: Entry | None) -> str:
        said = entry.first(TIME_KEYS) if entry is not None else None
        text = plain(str(said)) if said is not None else ""
        if self._brief:
            # 2026-01-31T12:00:00.123Z: from its hours to its milliseconds.
            whole = len(text) > 23 and text[10] in "T "  # noqa: PLR2004
            text = (text[11:23] if whole else text).ljust(_TIME_CHARS)
        return click.style(text, dim=True)


def _what(entry: Entry) -> str:
    """Return what happened: the event, or the request in short."""
    fields = entry.fields or {}
    if not _is_request(entry):
        event = entry.first(EVENT_KEYS)
        return click.style(value_text(event, quote=False), bold=True) if event is not None else ""
    status, took = fields.get("status"), fields.get("duration_ms")
    colour = None
    if isinstance(status, int):
        colour = "red" if status >= _BAD_FROM else "yellow" if status >= _REFUSED_FROM else "green"
    words = [
        f"{plain(str(fields['method']))} {plain(str(fields['path']))}",
        click.style(value_text(status), fg=colour),
        f"{_brief(took)} ms" if isinstance(took, int | float) else "",
    ]
    return " ".join(word for word in words if word)


def _rest(entry: Entry) -> Iterator[str]:
    """Yield the other fields; the trace last, since it is what one takes along."""
    fields = entry.fields or {}
    hidden = _OF_A_REQUEST if _is_request(entry) else _used_event(fields)
    for name, value in fields.items():
        if (
            value is None
            or name in _SAID_ELSEWHERE
            or name in hidden
            or name in {"trace_id", "traceparent"}
            or (name == "service" and entry.replica.startswith(f"{value}-"))
            or (name == _SAME_AS_PATH and value == fields.get("path"))
        ):
            continue
        yield _pair(name, value_text(value))
    # The proxy's lines have a replica's address, which is no name of ours.
    if entry.replica == EDGE and fields.get("replica") is not None:
        yield _pair("replica", value_text(fields["replica"]))
    trace_id = _trace_id(fields)
    if trace_id:
        yield _pair("trace", plain(trace_id[:ID_DIGITS]))


def _trace_id(fields: Mapping[str, Any]) -> str:
    """Return the trace id of a line, from the header if need be; empty where there is none."""
    said = fields.get("trace_id") or str(fields.get("traceparent") or "")[3:]
    return said if isinstance(said, str) else ""


def _is_request(entry: Entry) -> bool:
    """Return whether a line is one of ours or the proxy's about a request; others have events."""
    fields = entry.fields or {}
    if "method" not in fields or "path" not in fields or "status" not in fields:
        return False
    return fields.get("logger") == _ACCESS or entry.first(EVENT_KEYS) is None


def _brief(number: float) -> str:
    """Return a number with one digit behind the point, or as it was written: any may be there."""
    return f"{number:.1f}" if -_BRIEF_MAX < number < _BRIEF_MAX else value_text(number)


def _used_event(fields: Mapping[str, Any]) -> frozenset[str]:
    return frozenset([name for name in EVENT_KEYS if fields.get(name) is not None][:1])


def _pair(name: str, value: str) -> str:
    return click.style(f"{plain(name)}=", dim=True) + value
