"""When the time of a request in a thread is up, its client hears of it at once.

The thread can't be ended, and is not: it keeps its place until it is done, and what it answers goes
nowhere, as with the threads that ``overrun.py`` tells of. Only a server whose answer another thread
may give makes this possible, and it says so with ``ANSWER_KEY`` in the environ (``serving/`` has
Granian do so). Under any other the client waits until the app returns.

All requests have one thread that looks after them. It sleeps until the first deadline of those that
it knows; a request whose deadline comes later than that costs two steps of a set.
"""

import math
import threading
from collections.abc import Callable
from typing import Protocol

from mainstay.core.clock import Clock
from mainstay.service.inbound.wsgi.afterwards import Afterwards
from mainstay.service.inbound.wsgi.text import TextHeaders

ANSWER_KEY = "mainstay.answer"
"""Where the environ has the server's way to answer from any thread; what comes later is dropped."""

Answer = Callable[[int, TextHeaders, bytes], object]
"""Takes status, headers and the whole body."""

_SLEEP_S_MAX = 3600.0
"""Waits of C are bounded; a deadline may be a day away."""


class Watched(Protocol):
    """A request whose answer has not begun.

    Attributes:
        expires_s: Monotonic: when it must have.
    """

    expires_s: float

    def cut(self) -> None:
        """Answer in the app's place; nobody listens meanwhile."""
        ...

    def after_cut(self) -> None:
        """Do what comes after that, in whatever time it takes."""
        ...


class Watch:
    """Answers for requests whose time is up. Shared by all threads.

    Args:
        clock: The time, of requests as well.
    """

    __slots__ = ("_afterwards", "_clock", "_lock", "_looks_s", "_news", "_thread", "_waiting")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._afterwards = Afterwards()
        self._waiting: set[Watched] = set()
        # When the thread looks next: who expires earlier has to say so.
        self._looks_s = math.inf
        self._news = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def __len__(self) -> int:
        """How many are watched."""
        return len(self._waiting)

    def add(self, request: Watched) -> None:
        """Watch a request until it is taken."""
        self._waiting.add(request)
        if request.expires_s < self._looks_s:
            self._hurry()

    def take(self, request: Watched) -> bool:
        """Return whether the answer of a request is the caller's to give: to one it is, once."""
        if self._remove(request):
            return True
        with self._lock:
            # By now the answer in its place is given, and all that belongs to it is noted.
            return False

    def look(self) -> float:
        """Answer for everyone whose time is up.

        Returns:
            When the next one's time will be up, in monotonic seconds; infinite for nobody's.
        """
        now_s, next_s = self._clock.monotonic_s(), math.inf
        # The copy is one step of C, so that threads may add and take meanwhile.
        for request in list(self._waiting):
            if request.expires_s > now_s:
                next_s = min(next_s, request.expires_s)
            else:
                with self._lock:
                    is_ours = self._remove(request)
                    if is_ours:
                        request.cut()
                if is_ours:
                    self._afterwards.put(request.after_cut)
        return next_s

    def _remove(self, request: Watched) -> bool:
        try:
            # One step of C: of two threads, one gets it.
            self._waiting.remove(request)
        except KeyError:
            return False
        return True

    def _hurry(self) -> None:
        self._news.set()
        if self._thread is None:
            with self._lock:
                if self._thread is None:
                    self._thread = threading.Thread(
                        target=self._run, name="mainstay-deadlines", daemon=True
                    )
                    self._thread.start()

    def _run(self) -> None:
        try:
            while True:
                self._news.clear()
                # First of all: who comes while it looks is not among those it sees, and says so.
                self._looks_s = math.inf
                next_s = self._looks_s = self.look()
                left_s = next_s - self._clock.monotonic_s()
                self._news.wait(min(_SLEEP_S_MAX, max(0.0, left_s)))
        finally:
            # Whatever ended it (a listener that ends its thread), the next request begins anew.
            self._thread, self._looks_s = None, math.inf
