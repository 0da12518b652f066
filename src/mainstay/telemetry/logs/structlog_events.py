"""structlog's events, as lines like all others."""

from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

from mainstay.core.errors import PartMissing
from mainstay.telemetry.logs.levels import CRITICAL, ERROR, INFO, NUMBERS, WARNING
from mainstay.telemetry.logs.logger import Door, error_of

_LEVELS: Mapping[str, int] = {
    **NUMBERS, "warn": WARNING, "exception": ERROR, "fatal": CRITICAL, "msg": INFO,
}  # fmt: skip
"""By the method that was called."""

_RENDERERS = frozenset({"JSONRenderer", "ConsoleRenderer", "KeyValueRenderer", "LogfmtRenderer"})
_OURS = frozenset(
    {
        "TimeStamper", "add_log_level", "add_logger_name", "dict_tracebacks", "filter_by_level",
        "format_exc_info", "ExceptionRenderer", "PositionalArgumentsFormatter", "UnicodeDecoder",
    }
)  # fmt: skip
"""Processors whose work is done here, once for all who log."""

EventDict = MutableMapping[str, Any]
"""Any: structlog's own type."""


class Line:
    """What structlog's bound loggers wrap: any of its methods writes the line of an event.

    Args:
        door: Where lines go.
        name: Of the logger.
    """

    def __init__(self, door: Door, name: str) -> None:
        self._door = door
        self.name = name

    def __getattr__(self, method: str) -> Callable[..., None]:
        level = _LEVELS.get(method)
        if level is None:
            raise AttributeError(method)

        def say(*, event: object = "", **fields: Any) -> None:
            # Any: fields of an event. Its name and level are ours to say, and its time.
            name = fields.pop("logger", None) or fields.pop("logger_name", None) or self.name
            fields.pop("level", None)
            fields.pop("timestamp", None)
            error = error_of(fields.pop("exc_info", None))
            self._door.logs.log(level, str(name), event, fields, error)

        # The next look finds it without this method.
        setattr(self, method, say)
        return say


class LineFactory:
    """Makes what structlog's loggers wrap; its ``logger_factory``.

    Args:
        door: Where lines go.
    """

    def __init__(self, door: Door) -> None:
        self._door = door

    def __call__(self, *args: object) -> Line:
        """Return one for ``structlog.get_logger(name)``."""
        return Line(self._door, str(args[0]) if args else "structlog")


def hand_on(_logger: object, _method: str, event: EventDict) -> tuple[tuple[()], EventDict]:
    """Hand an event to ``Line`` as it is: the last of structlog's processors."""
    return (), event


def join_structlog(door: Door) -> Callable[[], None]:
    """Let structlog's loggers say their lines to the process's logs.

    Processors that are configured stay, less those whose work is done here: renderers, time,
    level, exceptions. A logger that was used before and caches goes on as it was.

    Returns:
        What undoes it.

    Raises:
        PartMissing: structlog is not installed.
    """
    try:
        import structlog  # noqa: PLC0415  An extra, and slow to import.
    except ImportError as error:
        raise PartMissing("structlog is not installed: pip install structlog") from error
    before = structlog.get_config()
    kept: list[Any] = [structlog.contextvars.merge_contextvars]
    if structlog.is_configured():
        # Any: structlog's own type of a processor.
        kept = [one for one in before["processors"] if _name(one) not in _RENDERERS | _OURS]
    structlog.configure(
        processors=[*kept, hand_on],
        wrapper_class=structlog.make_filtering_bound_logger(door.logs.level),
        logger_factory=LineFactory(door),
        context_class=dict,
        cache_logger_on_first_use=True,
    )
    return lambda: structlog.configure(**before)


def _name(processor: object) -> str:
    return getattr(processor, "__name__", type(processor).__name__)
