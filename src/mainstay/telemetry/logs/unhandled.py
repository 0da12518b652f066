"""Errors that nobody handled, as lines: of the main thread's, the last one of the process."""

import sys
import threading
from collections.abc import Callable
from types import TracebackType

from mainstay.telemetry.logs.levels import CRITICAL, ERROR
from mainstay.telemetry.logs.logger import Door
from mainstay.telemetry.trail import class_of

LOGGER = "mainstay.unhandled"


def join_unhandled(door: Door) -> Callable[[], None]:
    """Let errors that end the program, or a thread, be lines instead of texts on stderr.

    Likewise those that can't be raised: of destructors, and of what the collector calls. A hook
    that somebody else has set is called as well. Ctrl-C stays as it is.

    Returns:
        What undoes it.
    """
    hooks = _Hooks(door)
    sys.excepthook, threading.excepthook = hooks.program_ends, hooks.thread_ends
    sys.unraisablehook = hooks.cannot_be_raised
    return hooks.leave


class _Hooks:
    """What is called instead of the hooks that were there before, and calls them."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._program, self._thread = sys.excepthook, threading.excepthook
        self._unraisable = sys.unraisablehook

    def leave(self) -> None:
        sys.excepthook, threading.excepthook = self._program, self._thread
        sys.unraisablehook = self._unraisable

    def program_ends(
        self, kind: type[BaseException], error: BaseException, where: TracebackType | None
    ) -> None:
        is_ours = issubclass(kind, Exception)
        if is_ours:
            said = "the program ends by an unhandled error"
            self._door.logs.write(CRITICAL, LOGGER, said, {}, error)
        if not is_ours or self._program is not sys.__excepthook__:
            self._program(kind, error, where)

    def thread_ends(self, args: threading.ExceptHookArgs, /) -> None:
        if args.exc_value is not None and issubclass(args.exc_type, Exception):
            fields = {"thread": None if args.thread is None else args.thread.name}
            said = "a thread ended by an unhandled error"
            self._door.logs.log(ERROR, LOGGER, said, fields, args.exc_value)
        if self._thread is not threading.__excepthook__:
            self._thread(args)

    def cannot_be_raised(self, args: "sys.UnraisableHookArgs", /) -> None:
        is_ours = args.exc_value is not None and issubclass(args.exc_type, Exception)
        if is_ours:
            # The name alone: the object is about to go, and its methods may fail once more.
            name = getattr(args.object, "__qualname__", None)
            where = name if type(name) is str else class_of(args.object)
            said = "an error could not be raised"
            self._door.logs.log(ERROR, LOGGER, said, {"where": where}, args.exc_value)
        if not is_ours or self._unraisable is not sys.__unraisablehook__:
            self._unraisable(args)
