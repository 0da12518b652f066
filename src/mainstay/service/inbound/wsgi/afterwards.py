"""What is done once a client has its answer, by a thread that nobody waits for.

Listeners are somebody else's code: one may ask another machine, another may end its thread. Where
one thread answers for many, none of them may stand between a client and its answer.
"""

import threading
from collections.abc import Callable
from queue import SimpleQueue

_LEFT_MAX = 10_000
"""So much may wait; beyond that it is done at once, by whoever brings it."""


class Afterwards:
    """Does one thing after another. Shared by all threads; its own one is made on first use."""

    __slots__ = ("_left", "_lock", "_thread")

    def __init__(self) -> None:
        self._left: SimpleQueue[Callable[[], object]] = SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def put(self, act: Callable[[], object]) -> None:
        """Have something done soon."""
        if self._left.qsize() >= _LEFT_MAX:
            act()
            return
        self._left.put(act)
        self._rouse()

    def _rouse(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="mainstay-afterwards", daemon=True
                )
                self._thread.start()

    def _run(self) -> None:
        try:
            while True:
                self._left.get()()
        finally:
            # Whatever ended it, what is left is done; what comes later sees that nobody is here.
            self._thread = None
            if not self._left.empty():
                self._rouse()
