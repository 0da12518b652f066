"""``Logger``: what a program says its lines to."""

import sys
from typing import Self

from mainstay.telemetry.logs.levels import CRITICAL, DEBUG, ERROR, INFO, WARNING
from mainstay.telemetry.logs.logs import Logs

_PLAIN = (bool, int, str)
"""Kinds of which a false one means none."""


class Door:
    """Where the lines of a process's loggers go; filled when the service is known.

    Attributes:
        logs: What makes and writes the lines.
    """

    __slots__ = ("logs",)

    def __init__(self, logs: Logs) -> None:
        self.logs = logs


class Logger:
    """Says lines of one name. Cheap to make, safe to share.

    ::

        log.info("order placed", order_id=order.id, amount=12.5)

    Args:
        name: Whose lines they are, as ``shop.orders``.
        door: Where they go.
        bound: Fields of each line.
    """

    __slots__ = ("_bound", "_door", "name")

    def __init__(self, name: str, door: Door, bound: dict[str, object] | None = None) -> None:
        self.name = name
        self._door = door
        self._bound = bound or {}

    def bind(self, **fields: object) -> Self:
        """Return a logger whose lines have these fields as well."""
        return type(self)(self.name, self._door, {**self._bound, **fields})

    # The levels are written out, since each frame more would cost a tenth of a line.

    def debug(self, event: str, /, **fields: object) -> None:
        """Say a detail that helps to find a fault."""
        logs = self._door.logs
        if logs.level <= DEBUG:
            if "exc_info" in fields:
                self._say(DEBUG, event, fields)
            else:
                if self._bound:
                    fields = {**self._bound, **fields}
                logs.log(DEBUG, self.name, event, fields)

    def info(self, event: str, /, **fields: object) -> None:
        """Say that something happened as it should."""
        logs = self._door.logs
        if logs.level <= INFO:
            if "exc_info" in fields:
                self._say(INFO, event, fields)
            else:
                if self._bound:
                    fields = {**self._bound, **fields}
                logs.log(INFO, self.name, event, fields)

    def warning(self, event: str, /, **fields: object) -> None:
        """Say that something unexpected happened, which the system bears."""
        self._say(WARNING, event, fields)

    def error(self, event: str, /, **fields: object) -> None:
        """Say that one operation could not be done."""
        self._say(ERROR, event, fields)

    def critical(self, event: str, /, **fields: object) -> None:
        """Say that the system failed and somebody has to look at once."""
        self._say(CRITICAL, event, fields)

    def exception(self, event: str, /, **fields: object) -> None:
        """Say that one operation could not be done, with the exception that is being handled."""
        fields.setdefault("exc_info", True)
        self._say(ERROR, event, fields)

    def _say(self, level: int, event: str, fields: dict[str, object]) -> None:
        error = error_of(fields.pop("exc_info", None))
        self._door.logs.log(level, self.name, event, {**self._bound, **fields}, error)


def error_of(exc_info: object) -> BaseException | None:
    """Return the exception that an ``exc_info`` means, as the standard library reads it.

    Args:
        exc_info: An exception, a triple with one, something true for the one that is being handled.
    """
    # By their types alone: a stranger's own ``__class__`` or ``__bool__`` may raise anything.
    kind = type(exc_info)
    if issubclass(kind, BaseException):
        return exc_info  # type: ignore[return-value]  # The line above says so.
    if issubclass(kind, tuple):
        error = exc_info[1] if len(exc_info) > 1 else None  # type: ignore[index,arg-type]  # As above.
        return error if issubclass(type(error), BaseException) else None
    if exc_info is None or (kind in _PLAIN and not exc_info):
        return None
    return sys.exception()
