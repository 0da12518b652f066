"""The thread that runs checks while nobody asks, so that a probe only reads.

It begins with the first probe: that is right under every server, also where workers are forked
off a process that had loaded the app, and a service that nobody probes asks nobody.
"""

import os
import threading
import weakref
from collections.abc import Callable

from mainstay.service.inbound.health.board import Board

_PAUSE_MIN_S = 0.01
"""Between two looks, whatever is due: no clock can make this a busy loop."""


class Refresher:
    """Keeps a board fresh.

    Args:
        board: Held weakly by the thread: one that is gone ends it.
        is_over: Says when the process is about to stop, and checks have no use any more.
    """

    __slots__ = ("__weakref__", "_board", "_is_over", "_lock", "_pid")

    def __init__(self, board: Board, is_over: Callable[[], bool]) -> None:
        self._board = board
        self._is_over = is_over
        self._lock = threading.Lock()
        self._pid = 0

    def awake(self) -> None:
        """Start the thread, unless this process has it already. Each probe calls this."""
        pid = os.getpid()
        if self._pid == pid:
            return
        if self._pid:
            # The lock may have been held, by nobody that still is, when the process was forked.
            self._lock = threading.Lock()
            self._board.forget_runs()
        with self._lock:
            if self._pid == pid:
                return
            self._pid = pid
        stop = threading.Event()
        weakref.finalize(self._board, stop.set)
        thread = threading.Thread(
            target=keep_fresh,
            args=(weakref.ref(self._board), self._is_over, stop.wait),
            name="health-refresh",
            daemon=True,
        )
        # Where no thread can be had, probes go on as they do without one.
        self._board.refreshed = _started(thread)


def keep_fresh(
    board: Callable[[], Board | None],
    is_over: Callable[[], bool],
    pause: Callable[[float], bool],
) -> None:
    """Refresh a board until it is gone, the process is about to stop, or ``pause`` says so.

    Args:
        board: Returns it, or None once it is gone.
        is_over: As ``Refresher``'s.
        pause: Waits for so many seconds; returns whether to stop.
    """
    pause_s = 0.0
    while not pause(max(pause_s, _PAUSE_MIN_S)):
        one = board()
        if one is None or is_over():
            return
        pause_s = one.refresh()
        # Not held while it waits: that would keep it alive.
        del one


def _started(thread: threading.Thread) -> bool:
    try:
        thread.start()
    except RuntimeError:
        return False
    return True
