"""The server's own threads, of which only a few take requests from it at once.

A server makes a thread whenever none is idle at that moment. Where all of them wait for the
interpreter's lock, that is often, and from then on each request wakes another one, whose caches are
cold. So a thread that has handed its request on rests within the call, where the server takes it
for busy, until another one has to stay with a request of its own. Where requests are late the one
that takes them would wait for the interpreter among all that work: then all are called, since each
of them has its turn.
"""

import threading
from typing import Any

AT_LARGE = 1
"""Threads that take requests: one hands on several while it has the interpreter."""

REST_S = 20.0
"""A thread goes back to the server after so long, which ends those that it has no work for."""


class Crew:
    """Knows the threads of one server. Shared by all of them."""

    __slots__ = ("_away", "_count", "_lock", "_own", "_resting")

    def __init__(self) -> None:
        # One that may be entered again: a thread's end may come in the middle of anything.
        self._lock = threading.RLock()
        self._own = threading.local()
        self._count = 0
        self._away = 0
        self._resting: list[threading.Lock] = []

    @property
    def resting(self) -> int:
        """How many threads rest."""
        return len(self._resting)

    def handed_on(self) -> None:
        """Rest, if enough others take requests. A thread calls it when it has nothing to do."""
        self._know()
        if self._at_large() <= AT_LARGE:
            return
        call = threading.Lock()
        call.acquire()
        with self._lock:
            if self._at_large() <= AT_LARGE:
                return
            self._resting.append(call)
        if not call.acquire(timeout=REST_S):
            with self._lock:
                if call in self._resting:
                    self._resting.remove(call)

    def all_hands(self) -> None:
        """Have all of them take requests, until they rest again."""
        with self._lock:
            resting, self._resting = self._resting, []
            for call in resting:
                call.release()

    def stay(self) -> None:
        """Say that the calling thread stays with a request, and have another one in its place."""
        self._know()
        with self._lock:
            self._away += 1
            if self._resting and self._at_large() < AT_LARGE:
                # The one whose caches are the warmest.
                self._resting.pop().release()

    def come_back(self) -> None:
        """Say that it is done with it."""
        with self._lock:
            self._away -= 1

    def _know(self) -> None:
        """Count the calling thread, from its first call until it ends."""
        # Any: what a thread has of its own has no types.
        own: Any = self._own
        if not hasattr(own, "member"):
            own.member = _Member(self)

    def _at_large(self) -> int:
        return self._count - self._away - len(self._resting)

    def _joined(self, count: int) -> None:
        with self._lock:
            self._count += count


class _Member:
    """A thread of the crew: what a thread alone refers to ends with it."""

    __slots__ = ("_crew",)

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        crew._joined(1)  # noqa: SLF001  A part of it.

    def __del__(self) -> None:
        self._crew._joined(-1)  # noqa: SLF001  As above.
