"""SIGHUP has the declaration read again, by a thread: what a handler interrupts may hold a lock."""

import os
import queue
import signal
import threading
from collections.abc import Callable, Sequence
from types import FrameType

from mainstay.core.complaint import complain
from mainstay.core.errors import ConfigInvalid, MainstayError

_KEYS_MAX = 8
"""So many are named in one line."""


class Reloader:
    """Turns each signal into a reading; several that come during one, into one more.

    Args:
        reload: Takes the declaration as it is now, or refuses it whole; returns the keys that
            differ from what runs and hold from the next start on.
        complain: Takes one sentence about what is wrong.
        tell: Takes one about what went well.
    """

    def __init__(
        self,
        reload: Callable[[], Sequence[str]],
        complain: Callable[[str], object],
        tell: Callable[[str], object] = complain,
    ) -> None:
        self._reload = reload
        self._complain = complain
        self._tell = tell
        # SimpleQueue.put may be called in a signal handler; a lock or an Event may not.
        self._asked: queue.SimpleQueue[None] = queue.SimpleQueue()

    def listen(self) -> None:
        """Have SIGHUP handled, unless the app does so itself. In the main thread alone.

        At a terminal it stays what it is there: the terminal was closed, and the process ends.
        """
        if signal.getsignal(signal.SIGHUP) not in {signal.SIG_DFL, signal.SIG_IGN}:
            return
        if _has_terminal():
            return
        # Started now: a signal handler is no place to start a thread.
        threading.Thread(target=self._run, name="mainstay-reload", daemon=True).start()
        signal.signal(signal.SIGHUP, self.handle)

    def handle(self, signum: int = 0, frame: FrameType | None = None) -> None:
        """Take a signal."""
        del signum, frame
        self._asked.put(None)

    def _run(self) -> None:
        while True:
            self._asked.get()
            while not self._asked.empty():
                self._asked.get()
            # In a thread of its own, which a mistake in somebody's store may end, and not this one.
            reading = threading.Thread(target=self.read, name="mainstay-reload-one", daemon=True)
            reading.start()
            reading.join()

    def read(self) -> None:
        """Read the declaration again, and tell of the outcome: one line for each fault."""
        try:
            left = self._reload()
        except ConfigInvalid as error:
            for fault in error.faults:
                self._complain(f"mainstay: SIGHUP: {fault}\n")
        except (MainstayError, OSError) as error:
            self._complain(f"mainstay: SIGHUP: {error}\n")
        else:
            self._tell("mainstay: SIGHUP: dependencies are as they are declared now\n")
            if left:
                self._complain(f"mainstay: SIGHUP: not taken before a restart: {_listed(left)}\n")
            return
        self._complain("mainstay: SIGHUP: the last good declaration stays\n")


def _listed(keys: Sequence[str]) -> str:
    shown = ", ".join(keys[:_KEYS_MAX])
    return shown if len(keys) <= _KEYS_MAX else f"{shown} and {len(keys) - _KEYS_MAX} more"


def _has_terminal() -> bool:
    """Return whether this process has a controlling terminal."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True
