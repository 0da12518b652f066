"""The standard library's logging, as lines like all others."""

import logging
from collections.abc import Callable
from typing import Final

from mainstay.telemetry.logs.levels import level_of
from mainstay.telemetry.logs.logger import Door, error_of
from mainstay.telemetry.trail import trail_of

_KNOWN: Final = frozenset(
    {*logging.makeLogRecord({}).__dict__, "message", "asctime", "taskName", "color_message"}
)
"""What every record has; the rest of its attributes is what ``extra`` said. ``color_message`` is
uvicorn's."""

ACCESS_LOGGERS = ("uvicorn.access", "granian.access", "gunicorn.access", "hypercorn.access")
"""Silenced: there is one access line for each request already, and it knows more."""

SERVER_LOGGERS = (
    "uvicorn", "uvicorn.error", "uvicorn.asgi", "_granian", "granian", "gunicorn", "gunicorn.error",
    "hypercorn", "hypercorn.error",
)  # fmt: skip
"""Servers give these handlers of their own, whose lines come in another format or twice."""

TALKATIVE_LOGGERS = ("httpx",)
"""They say a line at ``info`` for each call that leaves, which metrics and spans tell better."""


class Handler(logging.Handler):
    """Hands records to the logs of the process.

    Args:
        door: Where they go.
    """

    def __init__(self, door: Door) -> None:
        super().__init__()
        self._door = door

    def createLock(self) -> None:  # noqa: N802  The standard library's name.
        """Make none: the logs are safe to share, and a lock would be held across forks."""
        self.lock = None

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line of a record; of one whose arguments don't fit, without them."""
        extra = {key: record.__dict__[key] for key in record.__dict__.keys() - _KNOWN}
        message = record.msg
        if isinstance(message, dict) and not record.args:
            # structlog's way to hand on a whole event.
            extra = {**{str(key): message[key] for key in message}, **extra}
            message = extra.pop("event", "")
        event = message
        if record.args:
            try:
                event = record.getMessage()
            except (TypeError, ValueError, KeyError, IndexError) as error:
                extra["log_error"] = trail_of(error).rpartition("\n")[2]
        if isinstance(event, str):
            # Some end theirs with a newline, for files.
            event = event.rstrip("\n")
        if record.stack_info:
            extra["stack"] = record.stack_info
        self._door.logs.log(
            level_of(record.levelno), record.name, event, extra, error_of(record.exc_info)
        )


def join_standard(door: Door) -> Callable[[], None]:
    """Let the standard library's loggers, and warnings, say their lines to the process's logs.

    Handlers that write to stdout or stderr are taken off the root logger and those of servers, so
    that no line comes twice; files and whatever else stay. A ``logging.config.dictConfig`` after
    this puts its own in place again.

    Returns:
        What undoes all of it.
    """
    handler = Handler(door)
    root = logging.getLogger()
    undo = [_take_over(root, propagate=root.propagate, handlers=(handler,))]
    undo += [_take_over(logging.getLogger(name), propagate=True) for name in SERVER_LOGGERS]
    undo += [_take_over(logging.getLogger(name), propagate=False) for name in ACCESS_LOGGERS]
    undo += [_quieten(logging.getLogger(name)) for name in TALKATIVE_LOGGERS]
    level = root.level
    root.setLevel(door.logs.level)
    logging.captureWarnings(True)  # noqa: FBT003  The standard library's signature.

    def leave() -> None:
        logging.captureWarnings(False)  # noqa: FBT003  As above.
        root.setLevel(level)
        for one in undo:
            one()

    return leave


def _quieten(logger: logging.Logger) -> Callable[[], None]:
    """Let a logger say warnings and what is above, unless somebody chose; return the way back."""
    before = logger.level
    if before == logging.NOTSET:
        logger.setLevel(logging.WARNING)
    return lambda: logger.setLevel(before)


def _take_over(
    logger: logging.Logger, *, propagate: bool, handlers: tuple[logging.Handler, ...] = ()
) -> Callable[[], None]:
    """Take the handlers of standard streams off a logger; return what puts them back."""
    before, propagated = list(logger.handlers), logger.propagate
    logger.handlers = [one for one in before if not _is_standard_stream(one)] + list(handlers)
    logger.propagate = propagate

    def undo() -> None:
        logger.handlers, logger.propagate = before, propagated

    return undo


def _is_standard_stream(handler: logging.Handler) -> bool:
    """Return whether a handler writes to stdout or stderr, whatever stands for them now."""
    if isinstance(handler, logging.FileHandler) or not isinstance(handler, logging.StreamHandler):
        return False
    return getattr(handler.stream, "name", None) in {"<stdout>", "<stderr>"}
