"""An event that comes as a mapping, as structlog hands it on, taken apart for a line."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from mainstay.telemetry.logs.logger import error_of

_EVENTS = ("event", "message", "msg")
"""What the event is called, the usual name first; ``EventRenamer`` gives it the others."""

_NAMES = ("logger", "logger_name")
_PLACED = frozenset({*_NAMES, "level", "timestamp", "exc_info"})
"""Fields that have a place of their own in a line, or are the line's to say."""


class Mapped(NamedTuple):
    """The parts of an event.

    Attributes:
        event: What happened; empty where nothing says so.
        logger: Who says it; None where that isn't said.
        fields: The rest.
        error: The exception that it is about.
    """

    event: object
    logger: str | None
    fields: dict[str, object]
    error: BaseException | None


def mapped(event: Mapping[Any, Any]) -> Mapped:
    """Return the parts of an event. Any: what structlog and its users put there."""
    said = next((name for name in _EVENTS if name in event), "event")
    names = (event.get(name) for name in _NAMES)
    return Mapped(
        event.get(said, ""),
        next((name for name in names if type(name) is str and name), None),
        {str(key): event[key] for key in event if key != said and key not in _PLACED},
        error_of(event.get("exc_info")),
    )
