"""As many calls of a WSGI app at once as ``run.threads`` says, and a thread left for probes.

Under WSGI whatever arrives takes a thread of the server, a health probe like any request. If there
were only as many threads as the app may use, a probe would wait behind all requests that do. So
the server may have many more than requests can wait in: what more of them come to is refused at
once, and a probe always finds one.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from random import Random

from mainstay.core.deadline import remaining_s
from mainstay.service.inbound.admission.refusals import TIME_IS_UP, overloaded
from mainstay.service.inbound.refusal import Refused
from mainstay.service.inbound.thread_flight import Environ, StartResponse, WsgiApp

WAITING_MAX = 256
"""Requests that may wait for a turn. A thread that waits takes about 65 KB: 16 MB for all."""

SERVER_THREADS_MAX = 2048
"""Of the server in all, which makes them when they are needed: those that the app works in (at most
512), those that wait here or in admission's queue, and so always one that nobody waits in."""


class Gate:
    """Turns for calls of the app, first come, first served. Safe for threads.

    Args:
        threads: Calls at once.
        waiting_max: How many may wait.
    """

    __slots__ = ("_free", "_lock", "_waiting", "_waiting_max")

    def __init__(self, threads: int, *, waiting_max: int = WAITING_MAX) -> None:
        # One step of C to take a turn and one to give it back, while nobody waits.
        self._free = deque([None] * threads)
        self._waiting: deque[threading.Lock] = deque()
        self._waiting_max = waiting_max
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def enter(self, within_s: float | None) -> bool | None:
        """Take a turn, waiting for it if need be.

        Args:
            within_s: How long; None: as long as it takes.

        Returns:
            Whether there is one now; None where as many wait as may.
        """
        if not self._waiting:
            try:
                self._free.pop()
            except IndexError:
                pass
            else:
                return True
        turn = threading.Lock()
        turn.acquire()
        with self._lock:
            if len(self._waiting) >= self._waiting_max:
                return None
            self._waiting.append(turn)
            # One that was given back a moment ago saw nobody wait.
            self._hand_on()
        if turn.acquire(timeout=-1 if within_s is None else max(0.0, within_s)):
            return True
        with self._lock:
            if turn in self._waiting:
                self._waiting.remove(turn)
                return False
        # It was handed over in this very moment.
        return True

    def leave(self) -> None:
        """Give a turn back; exactly once for each that was taken."""
        self._free.append(None)
        if self._waiting:
            with self._lock:
                self._hand_on()

    def _hand_on(self) -> None:
        while self._waiting:
            try:
                self._free.pop()
            except IndexError:
                return
            self._waiting.popleft().release()


class Gated:
    """A WSGI app that is called so many times at once. It stands within the shell.

    Args:
        app: The wrapped app.
        gate: Has the turns.
        rng: Spreads ``Retry-After``; None makes one.
    """

    def __init__(self, app: WsgiApp, gate: Gate, rng: Random | None = None) -> None:
        self._app = app
        self._gate = gate
        self._rng = rng or Random()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Call the app when it is this request's turn.

        Raises:
            Refused: Too many wait, or the deadline came first.
        """
        gate = self._gate
        entered = gate.enter(remaining_s())
        if entered is None:
            raise Refused(overloaded(self._rng))
        if not entered:
            raise Refused(TIME_IS_UP)
        try:
            body = self._app(environ, start_response)
        except BaseException:
            gate.leave()
            raise
        file_wrapper = environ.get("wsgi.file_wrapper")
        if (
            type(body) is list
            or type(body) is tuple
            # The server sends its own without Python.
            or (isinstance(file_wrapper, type) and isinstance(body, file_wrapper))
        ):
            gate.leave()
            return body
        return _Body(body, gate.leave)


class _Body:
    """A body that is made while it is sent: its turn is over when it is."""

    __slots__ = ("_body", "_leave", "_next")

    def __init__(self, body: Iterable[bytes], leave: Callable[[], None]) -> None:
        self._body = body
        self._leave: Callable[[], None] | None = leave
        self._next = iter(body).__next__

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            return self._next()
        except BaseException:
            self._end()
            raise

    def close(self) -> None:
        """Close the app's own body, as the server must in the end, whatever happened."""
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                close()
        finally:
            self._end()

    def _end(self) -> None:
        leave, self._leave = self._leave, None
        if leave is not None:
            leave()
