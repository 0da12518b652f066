"""Work that goes on when its request has been answered: tracked, bounded, and drained.

A task that nobody holds may be collected half done, outlives a deploy by luck, and its error is
seen by nobody. Here every piece is held, counted, waited for by the drain, and its error is told.
"""

import asyncio
import contextvars
import inspect
import threading
import traceback
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import Any, TypeAlias

from mainstay.core.clock import Clock
from mainstay.core.deadline import detach
from mainstay.core.errors import MainstayError
from mainstay.core.events import Event, Listeners
from mainstay.core.trace import current_trace

WORK_MAX = 1000
"""Pieces of work that may be on their way at once, those that wait for a thread included."""

THREADS_MAX = 32
"""So many functions run at once; the others wait for their turn."""

# Any: what a coroutine yields is between it and its loop.
Work: TypeAlias = Coroutine[Any, Any, object] | Callable[..., object]


class BackgroundFull(MainstayError):
    """As much work is on its way in the background as may be, or the process is about to end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackgroundFailed(Event):
    """Work in the background raised; ``error`` is the class of what it raised."""

    work: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BackgroundEnded(Event):
    """Work in the background ended, well or not. Told within the trace that began it.

    Attributes:
        work: Its name.
        error: Class of what it raised, or None.
        took_s: From when it was handed over: a wait for a thread counts.
    """

    work: str
    error: str | None
    took_s: float


class _Piece:
    """One piece of work; ``done`` is, when it is."""

    __slots__ = ("began_s", "done", "name", "task", "trace_id")

    def __init__(self, name: str, began_s: float) -> None:
        trace = current_trace()
        self.began_s = began_s
        self.name = name
        self.trace_id = "-" if trace is None else trace.trace_id
        self.done: Future[None] = Future()
        # A running future can't be cancelled by one of those who wait for it.
        self.done.set_running_or_notify_cancel()
        # Held here: the loop itself holds tasks weakly.
        self.task: asyncio.Task[object] | None = None


class Background:
    """The work of one service that no request waits for. Safe from any thread or loop.

    Args:
        clock: Stamps events, and bounds the wait at the end.
        events: Told of what fails.
        complain: Writes a text to stderr; must not raise.
        work_max: How much may be on its way.

    Attributes:
        loop: The app's, where coroutines of threads run; None while there is none.
        report: Told of each error and its work's name, in the work's own context; must not raise.
    """

    __slots__ = ("_clock", "_complain", "_events", "_lock", "_over", "_queue", "_threads",
                 "_work", "_work_max", "loop", "report")  # fmt: skip

    def __init__(
        self,
        *,
        clock: Clock,
        events: Listeners,
        complain: Callable[[str], object],
        work_max: int = WORK_MAX,
    ) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self.report: Callable[[BaseException, str], None] | None = None
        self._clock = clock
        self._events = events
        self._complain = complain
        self._work_max = work_max
        self._work: set[_Piece] = set()
        self._queue: deque[Callable[[], None]] = deque()
        self._threads = 0
        self._over = False
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._work)

    def run(self, work: Work, /, *args: object, **kwargs: object) -> None:
        """Begin work that nobody waits for but the drain.

        It belongs to the trace of the request that began it, and no deadline bounds it. A
        coroutine runs on the running event loop, else on the app's, else on one of its own in a
        thread. A coroutine function is called first; any other function runs in a thread.

        Raises:
            BackgroundFull: Nothing was begun.
        """
        piece = self._admit(work)
        if inspect.iscoroutinefunction(work):
            work = work(*args, **kwargs)
        # What begins here copies the context of this moment: its trace, and no deadline.
        with detach():
            if inspect.iscoroutine(work):
                self._begin_coroutine(piece, work)
            else:
                assert callable(work)
                self._begin_thread(piece, lambda: work(*args, **kwargs))

    def _admit(self, work: Work) -> _Piece:
        name = getattr(work, "__qualname__", type(work).__qualname__)
        piece = _Piece(name, self._clock.monotonic_s())
        with self._lock:
            if not self._over and len(self._work) < self._work_max:
                self._work.add(piece)
                return piece
        if inspect.iscoroutine(work):
            # Else Python would warn that nobody awaited it; the error says so already.
            work.close()
        why = "the process stops" if self._over else f"{self._work_max} are on their way"
        raise BackgroundFull(f"no more work in the background: {why}")

    def _begin_coroutine(self, piece: _Piece, coroutine: Coroutine[Any, Any, object]) -> None:
        def begin() -> None:
            piece.task = asyncio.get_running_loop().create_task(coroutine, name=piece.name)
            piece.task.add_done_callback(lambda task: self._end(piece, _error_of(task)))

        try:
            asyncio.get_running_loop()
        except RuntimeError:
            pass
        else:
            begin()
            return
        if self.loop is not None and not self.loop.is_closed():
            self.loop.call_soon_threadsafe(begin)
        else:
            self._begin_thread(piece, lambda: asyncio.run(coroutine))

    def _begin_thread(self, piece: _Piece, act: Callable[[], object]) -> None:
        context = contextvars.copy_context()

        def run() -> None:
            error: BaseException | None = None
            try:
                context.run(act)
            except BaseException as raised:  # noqa: BLE001  A user's function may raise anything.
                error = raised
            context.run(self._end, piece, error)

        with self._lock:
            self._queue.append(run)
            if self._threads >= THREADS_MAX:
                return
            self._threads += 1
        # A daemon: what hangs must not keep the process from ending.
        threading.Thread(target=self._serve_queue, name="background", daemon=True).start()

    def _serve_queue(self) -> None:
        while True:
            with self._lock:
                if not self._queue:
                    self._threads -= 1
                    return
                run = self._queue.popleft()
            run()

    def _end(self, piece: _Piece, error: BaseException | None) -> None:
        # What was cut off is counted as such by who cut it.
        if error is not None and not self._over:
            self._tell(piece, error)
        if self._events.listening:
            self._events.emit(
                BackgroundEnded(
                    at_s=self._clock.wall_s(),
                    work=piece.name,
                    error=None if error is None else type(error).__name__,
                    took_s=self._clock.monotonic_s() - piece.began_s,
                )
            )
        # Last, since whoever waits for it may end the process in the next moment.
        with self._lock:
            self._work.discard(piece)
        piece.done.set_result(None)

    def _tell(self, piece: _Piece, error: BaseException) -> None:
        if self.report is not None and isinstance(error, Exception):
            self.report(error, piece.name)
        else:
            trail = "".join(traceback.format_exception(error))
            self._complain(
                f"mainstay: background work {piece.name} failed, trace_id {piece.trace_id}\n{trail}"
            )
        if self._events.listening:
            at_s, kind = self._clock.wall_s(), type(error).__name__
            self._events.emit(BackgroundFailed(at_s=at_s, work=piece.name, error=kind))

    def finish(self, within_s: float) -> int:
        """Wait for what is on its way, and for what that begins; return how much is cut off.

        Afterwards nothing begins any more.
        """
        last_s = self._clock.monotonic_s() + within_s
        while (pending := self._pending()) and (left_s := last_s - self._clock.monotonic_s()) > 0:
            wait(pending, timeout=left_s)
        return self._close()

    async def finish_async(self, within_s: float) -> int:
        """Do what ``finish`` does, without blocking the event loop."""
        last_s = self._clock.monotonic_s() + within_s
        while (pending := self._pending()) and (left_s := last_s - self._clock.monotonic_s()) > 0:
            waiting = [asyncio.wrap_future(one) for one in pending]
            await asyncio.wait(waiting, timeout=left_s)
            for one in waiting:
                # Ours only: what ends after this loop has would call into it.
                one.cancel()
        return self._close()

    def _pending(self) -> "list[Future[None]]":
        with self._lock:
            return [piece.done for piece in self._work]

    def _close(self) -> int:
        with self._lock:
            self._over = True
            self._queue.clear()
            return len(self._work)


def _error_of(task: "asyncio.Task[object]") -> BaseException | None:
    return asyncio.CancelledError() if task.cancelled() else task.exception()
