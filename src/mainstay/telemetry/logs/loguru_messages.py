"""loguru's messages, as lines like all others."""

from collections.abc import Callable
from typing import Any

from mainstay.core.errors import PartMissing
from mainstay.telemetry.logs.levels import level_of
from mainstay.telemetry.logs.logger import Door, error_of

_BARE = ""
"""The format of a message whose record alone is read."""


class Sink:
    """Takes loguru's messages.

    Args:
        door: Where lines go.
    """

    def __init__(self, door: Door) -> None:
        self._door = door

    def __call__(self, message: Any) -> None:
        """Write the line of a message. Any: loguru's type is its own stub's alone."""
        record = message.record
        fields = {str(key): value for key, value in record["extra"].items()}
        error = record["exception"]
        self._door.logs.log(
            level_of(record["level"].no),
            record["name"] or "loguru",
            record["message"],
            fields,
            None if error is None else error_of(tuple(error)),
        )


def join_loguru(door: Door) -> Callable[[], None]:
    """Let loguru say its lines to the process's logs, instead of all sinks that it has.

    Returns:
        What takes it away again. loguru can't say which sinks it had: they are not put back.

    Raises:
        PartMissing: loguru is not installed.
    """
    try:
        from loguru import logger  # noqa: PLC0415  An extra.
    except ImportError as error:
        raise PartMissing("loguru is not installed: pip install loguru") from error
    # Its own text of an exception would show the values of variables.
    logger.remove()
    sink = logger.add(
        Sink(door), level=0, format=lambda _record: _BARE, backtrace=False, diagnose=False
    )
    return lambda: logger.remove(sink)
