"""Errors that nobody handled, as lines: of the main thread's, the last one of the process."""

import sys
import threading
from collections.abc import Callable
from types import TracebackType

from mainstay.telemetry.logs.levels import CRITICAL, ERROR
from mainstay.telemetry.logs.logger import Door

LOGGER = "mainstay.unhandled"


def join_unhandled(door: Door) -> Callable[[], None]:
    """Let errors that end the program, or a thread, be lines instead of texts on stderr.

    A hook that somebody else has set is called as well. Ctrl-C stays as it is.

    Returns:
        What undoes it.
    """
    program, thread = sys.excepthook, threading.excepthook

    def program_ends(
        kind: type[BaseException], error: BaseException, where: TracebackType | None
    ) -> None:
        if not issubclass(kind, Exception):
            program(kind, error, where)
            return
        door.logs.write(CRITICAL, LOGGER, "the program ends by an unhandled error", {}, error)
        if program is not sys.__excepthook__:
            program(kind, error, where)

    def thread_ends(args: threading.ExceptHookArgs, /) -> None:
        if args.exc_value is not None and issubclass(args.exc_type, Exception):
            fields = {"thread": None if args.thread is None else args.thread.name}
            door.logs.log(
                ERROR, LOGGER, "a thread ended by an unhandled error", fields, args.exc_value
            )
        if thread is not threading.__excepthook__:
            thread(args)

    sys.excepthook, threading.excepthook = program_ends, thread_ends

    def leave() -> None:
        sys.excepthook, threading.excepthook = program, thread

    return leave
