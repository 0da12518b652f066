"""Signals of a process that serves: two that stop it, and one that has it read its declaration."""

import functools
import os
import signal
import threading
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any

from mainstay.service.inbound.serving.reloading import Reloader
from mainstay.service.inbound.stopping.drain import Drain
from mainstay.service.inbound.stopping.stop import Stopper

_STOPPING = (signal.SIGTERM, signal.SIGINT)

# As ``signal.getsignal`` returns one. Any: a handler may return whatever it likes.
Handler = Callable[[int, FrameType | None], Any] | int | None


def take_signals(drain: Drain, stop_server: Callable[[], object]) -> None:
    """Let SIGTERM and SIGINT drain, then call ``stop_server`` in another thread."""
    stopper = Stopper(drain=drain, stop_server=stop_server)
    stopper.start()
    # Not the loop's own handlers: those wait for the loop, which a handler may be blocking.
    signal.signal(signal.SIGTERM, stopper.handle)
    signal.signal(signal.SIGINT, stopper.handle)


def take_signals_in_a_thread(
    drain: Drain, stop_server: Callable[[], object], hangup: Handler
) -> None:
    """Do what ``take_signals`` does, where the main thread waits for a lock all the time.

    Python runs handlers in the main thread, and one that is about to wait for a lock does not hear
    of a signal that comes in the moment before. C tells of each in a pipe, too, which a thread of
    ours reads.
    """
    stopper = Stopper(drain=drain, stop_server=stop_server)
    stopper.start()
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    handlers: dict[int, Callable[[int], object]] = dict.fromkeys(_STOPPING, stopper.handle)
    # Granian has set a handler of its own, which would start another worker.
    signal.signal(signal.SIGHUP, hangup)
    if isinstance(reloader := getattr(hangup, "__self__", None), Reloader):
        handlers[signal.SIGHUP] = reloader.handle
    for signum in handlers:
        signal.signal(signum, _leave_to_the_thread)
    hear = functools.partial(_hear, reader, handlers)
    threading.Thread(target=hear, name="mainstay-signals", daemon=True).start()


def _hear(reader: int, handlers: Mapping[int, Callable[[int], object]]) -> None:
    while True:
        for signum in os.read(reader, 64):
            if signum in handlers:
                handlers[signum](signum)


def _leave_to_the_thread(signum: int, frame: FrameType | None) -> None:
    """Do nothing; a signal with a handler is told in the pipe."""
