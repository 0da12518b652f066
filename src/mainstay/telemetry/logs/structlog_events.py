"""structlog's events, as lines like all others."""

from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

from mainstay.core.errors import PartMissing
from mainstay.telemetry.logs.levels import CRITICAL, ERROR, INFO, NUMBERS, WARNING
from mainstay.telemetry.logs.logger import Door
from mainstay.telemetry.logs.mapped import mapped

_LEVELS: Mapping[str, int] = {
    **NUMBERS, "warn": WARNING, "exception": ERROR, "fatal": CRITICAL, "msg": INFO,
}  # fmt: skip
"""By the method that was called."""

_RENDERERS = frozenset(
    {
        "JSONRenderer", "ConsoleRenderer", "KeyValueRenderer", "LogfmtRenderer", "EventRenamer",
        "wrap_for_formatter", "render_to_log_kwargs", "render_to_log_args_and_kwargs",
    }
)  # fmt: skip
"""What makes a text of an event, or readies it for the standard library."""

_OURS = frozenset(
    {
        "TimeStamper", "dict_tracebacks", "filter_by_level", "format_exc_info", "ExceptionRenderer",
        "PositionalArgumentsFormatter", "UnicodeDecoder",
    }
)  # fmt: skip
"""Processors whose work is done here, once for all who log. Those that add a name and a level stay,
since others read what they added."""

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

        def say(given: Any = "", /, *_args: object, **_kwargs: object) -> None:
            # Any: an event, or whatever a wrapper says past all processors.
            told = mapped(given if isinstance(given, Mapping) else {"event": given})
            self._door.logs.log(
                level, told.logger or self.name, told.event, told.fields, told.error
            )

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


def hand_on(
    _logger: object, _method: str, event: EventDict
) -> tuple[tuple[EventDict], dict[str, object]]:
    """Hand an event to ``Line`` as it is: the last of structlog's processors."""
    return (event,), {}


class MaybeRenderer:
    """The last processor of a program's own, which may be one that makes a text: nobody can tell.

    Args:
        processor: As it was configured.
    """

    def __init__(self, processor: Callable[..., Any]) -> None:
        # Any: structlog's own type.
        self._processor = processor

    def __call__(self, logger: object, method: str, event: EventDict) -> EventDict:
        """Return what it makes of an event; of a text, and of an error, the event as it was.

        It may fail for what others did before and is left to the logs now, such as the time.
        """
        import structlog  # noqa: PLC0415  An extra, and slow to import.

        before = dict(event)
        try:
            made = self._processor(logger, method, event)
        except structlog.DropEvent:
            raise
        except Exception:  # noqa: BLE001  A stranger's function; a line of a log must not raise.
            return before
        return made if isinstance(made, MutableMapping) else before


def join_structlog(door: Door) -> Callable[[], None]:
    """Let structlog's loggers say their lines to the process's logs.

    Processors that are configured stay, less those whose work is done here: renderers, time and
    exceptions. A logger that was used before and caches goes on as it was.

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
        if kept and kept[-1] is before["processors"][-1]:
            kept[-1] = MaybeRenderer(kept[-1])
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
