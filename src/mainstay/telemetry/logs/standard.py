"""The standard library's logging, as lines like all others."""

import logging
from collections.abc import Callable
from typing import Any, Final

from mainstay.telemetry.logs.levels import level_of
from mainstay.telemetry.logs.logger import Door, error_of
from mainstay.telemetry.logs.logs import unshown
from mainstay.telemetry.logs.mapped import mapped
from mainstay.telemetry.logs.streams import StandIn
from mainstay.telemetry.trail import trail_of

_SAID = "_mainstay_said"
"""Marks a record that is a line already: it may pass several handlers of ours."""

_KNOWN: Final = frozenset(
    {
        *logging.makeLogRecord({}).__dict__, "message", "asctime", "taskName", "color_message",
        "_logger", "_name", "_from_structlog", _SAID,
    }
)  # fmt: skip
"""What every record has, or gets from uvicorn (``color_message``) and structlog; the rest of its
attributes is what ``extra`` said."""

ACCESS_LOGGERS = (
    "uvicorn.access", "granian.access", "gunicorn.access", "hypercorn.access", "django.server",
)  # fmt: skip
"""Silenced: there is one access line for each request already, and it knows more."""

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
        """Write the line of a record, once. Never raises.

        Args:
            record: One whose arguments don't fit its message is written without them; of one that
                can't be shown at all, the line says why.
        """
        if _SAID in record.__dict__:
            return
        record.__dict__[_SAID] = True
        try:
            self._write(record)
        except Exception as error:  # noqa: BLE001  Whatever is logged may raise anything when it is looked at, and the standard library's own answer would print it.
            self._door.logs.log(*unshown(record.levelno, record.name, error))

    def _write(self, record: logging.LogRecord) -> None:
        extra = {key: record.__dict__[key] for key in record.__dict__.keys() - _KNOWN}
        event: Any = record.msg  # Any: whatever was logged.
        name, error = record.name, error_of(record.exc_info)
        if issubclass(type(event), dict) and not record.args:
            # structlog's way to hand on a whole event.
            told = mapped(event)
            event, name = told.event, told.logger or name
            extra, error = {**told.fields, **extra}, error or told.error
        elif record.args:
            try:
                event = self._message(record)
            except Exception as broken:  # noqa: BLE001  The ``__str__`` of an argument may raise anything.
                extra["log_error"] = trail_of(broken).rpartition("\n")[2]
        if type(event) is str:
            # Some end theirs with a newline, for files.
            event = event.rstrip("\n")
        if record.stack_info:
            extra["stack"] = record.stack_info
        self._door.logs.log(level_of(record.levelno), name, event, extra, error)

    def _message(self, record: logging.LogRecord) -> str:
        """Return the message with its arguments; names hide those that have some."""
        if not isinstance(record.args, dict):
            return record.getMessage()
        masker = self._door.logs.masker
        args = {
            name: masker.value(name, value) if masker.hides(name) else value
            for name, value in record.args.items()
        }
        return str(record.msg) % args


class Standard:
    """The standard library's loggers, and warnings, as long as they say lines to our logs.

    Handlers that write to stdout or stderr are taken off, wherever they hang and whenever they
    come, so that no line comes twice or unmasked; files and whatever else stay.

    Args:
        door: Where lines go.
    """

    def __init__(self, door: Door) -> None:
        last_resort = Handler(door)
        # As the standard library has it: of a logger without any handler, warnings and above.
        last_resort.setLevel(logging.WARNING)
        self._level = logging.root.level
        self._streams = StandIn(Handler(door), last_resort, ACCESS_LOGGERS)
        self._talkative = [_quieten(logging.getLogger(name)) for name in TALKATIVE_LOGGERS]
        logging.root.setLevel(door.logs.level)
        logging.captureWarnings(True)  # noqa: FBT003  The standard library's signature.

    def again(self) -> None:
        """Take off what was added meanwhile; with each record it is looked for anyway."""
        self._streams.everywhere()

    def leave(self) -> None:
        """Undo all of it."""
        logging.captureWarnings(False)  # noqa: FBT003  As above.
        logging.root.setLevel(self._level)
        for undo in self._talkative:
            undo()
        self._streams.leave()


def _quieten(logger: logging.Logger) -> Callable[[], None]:
    """Let a logger say warnings and what is above, unless somebody chose; return the way back."""
    before = logger.level
    if before == logging.NOTSET:
        logger.setLevel(logging.WARNING)
    return lambda: logger.setLevel(before)
