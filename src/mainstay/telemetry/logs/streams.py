"""Handlers of logging that write to stdout or stderr, and what stands in for them."""

import logging
import sys
from collections.abc import Iterable
from typing import Any, Final

_NAMES: Final = frozenset({"<stdout>", "<stderr>"})
_PATHS: Final = frozenset(
    {
        "/dev/stdout", "/dev/stderr", "/dev/fd/1", "/dev/fd/2", "/proc/self/fd/1",
        "/proc/self/fd/2", "/proc/1/fd/1", "/proc/1/fd/2",
    }
)  # fmt: skip
"""Files that are the standard streams, as containers are given them."""

TAKEN_MAX: Final = 1000
"""Handlers that are remembered, to be put back; a program that adds one with each request has a
fault that must not grow here."""


def is_standard_stream(handler: logging.Handler) -> bool:
    """Return whether a handler writes to stdout or stderr, whatever stands for them now."""
    if isinstance(handler, logging.FileHandler):
        return handler.baseFilename in _PATHS
    if isinstance(handler, logging.StreamHandler):
        stream = handler.stream
    else:
        # rich's handler, and others that draw on a console of its kind.
        stream = getattr(getattr(handler, "console", None), "file", None)
    if stream is None:
        return False
    if stream is sys.stdout or stream is sys.stderr:
        return True
    name = getattr(stream, "name", None)
    return type(name) is str and name in _NAMES


class StandIn:
    """Puts one handler in the place of all that write to standard streams, wherever they hang.

    Goes through the tree of loggers when it is asked to; and with every record that is made,
    through the loggers that it will pass, so that a handler which came meanwhile writes no line.
    Both by doors of the standard library's own: lists of handlers, and the factory of records.

    Args:
        handler: Stands in, and at the root in any case. It writes a record once, however often it
            is handed on.
        last_resort: Takes what reaches no handler, which the standard library would print.
        silent: Names of loggers whose lines nobody needs: nothing stands in there.
    """

    def __init__(
        self, handler: logging.Handler, last_resort: logging.Handler, silent: Iterable[str]
    ) -> None:
        self._handler = handler
        self._nothing = logging.NullHandler()
        self._loggers = logging.root.manager.loggerDict
        silenced = [logging.getLogger(name) for name in silent]
        self._propagated = {logger: logger.propagate for logger in silenced}
        self._taken: list[tuple[logging.Logger, logging.Handler]] = []
        self._factory = logging.getLogRecordFactory()
        self._last_resort = logging.lastResort
        self._is_on = True
        self.everywhere()
        logging.setLogRecordFactory(self._made)
        logging.lastResort = last_resort

    def everywhere(self) -> None:
        """Go through the whole tree."""
        for logger in self._tree():
            self._stand_in(logger)

    def leave(self) -> None:
        """Put back what was taken."""
        # A factory that came later may go on calling this one.
        self._is_on = False
        if logging.getLogRecordFactory() == self._made:
            logging.setLogRecordFactory(self._factory)
        logging.lastResort = self._last_resort
        for logger, propagated in self._propagated.items():
            logger.propagate = propagated
        for logger in self._tree():
            taken = [one for of, one in self._taken if of is logger]
            gone = {self._handler, self._nothing, *taken}
            logger.handlers = taken + [one for one in logger.handlers if one not in gone]
        self._taken = []

    def _tree(self) -> list[logging.Logger]:
        known = list(self._loggers.values())
        return [logging.root, *(one for one in known if isinstance(one, logging.Logger))]

    def _made(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        """Make a record, and see to the loggers that it will pass. Any: the library's own."""
        record = self._factory(*args, **kwargs)
        if self._is_on:
            logger = self._loggers.get(record.name)
            root, ours = logging.root, self._handler
            here: logging.Logger | None = root
            if isinstance(logger, logging.Logger):
                here = logger
            while here is not None:
                handlers = here.handlers
                # Nearly all have none, and the root has ours alone.
                if len(handlers) > 1 or (handlers[0] is not ours if handlers else here is root):
                    self._stand_in(here)
                here = here.parent if here.propagate else None
        return record

    def _stand_in(self, logger: logging.Logger) -> None:
        """Take the handlers of standard streams off a logger, and stand in for them."""
        is_silent = logger in self._propagated
        ours = self._nothing if is_silent else self._handler
        before = logger.handlers
        taken = [one for one in before if one is not ours and is_standard_stream(one)]
        if is_silent:
            logger.propagate = False
        if taken or ((is_silent or logger is logging.root) and ours not in before):
            # A list of its own: a record may be passing the present one.
            kept = [one for one in before if one not in taken and one is not ours]
            logger.handlers = [*kept, ours]
            known = len(self._taken)
            self._taken += [(logger, one) for one in taken][: TAKEN_MAX - known]
