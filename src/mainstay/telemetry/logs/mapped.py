"""An event that comes as a mapping, as structlog hands it on, taken apart for a line."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from mainstay.telemetry.logs.logger import error_of

_RENAMED = ("message", "msg")
"""What the event is called where it isn't called so; ``EventRenamer`` does that."""


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
    # Taken out one by one, which costs less than to look at each field.
    fields = dict(event)
    take = fields.pop
    name, other = take("logger", None), take("logger_name", None)
    # These are the line's to say.
    take("level", None)
    take("timestamp", None)
    error = error_of(take("exc_info", None))
    said = "event"
    if said not in fields:
        said = next((one for one in _RENAMED if one in fields), said)
    if type(name) is not str or not name:
        name = other if type(other) is str and other else None
    return Mapped(take(said, ""), name, fields, error)
