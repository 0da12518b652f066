"""What is closed at the end, in its order: clients first, then pools, telemetry last of all.

A client that is closed may still give a connection back to its pool, and both may have something
to say that telemetry should still send.
"""

import asyncio
import inspect
import threading
import traceback
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future, wait
from dataclasses import dataclass
from functools import partial
from typing import Literal, get_args

from mainstay.core.clock import Clock
from mainstay.core.events import Event, Listeners

Stage = Literal["clients", "pools", "telemetry"]
STAGES: tuple[Stage, ...] = get_args(Stage)

CLOSERS_MAX = 256
"""Of one service."""

Close = Callable[[], object]
"""What it returns is awaited where it can be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloserFailed(Event):
    """A closer raised, or was not done in time (``TimeoutError``).

    Attributes:
        closer: Its name.
        stage: In which it was closed.
        error: The class of what it raised, and nothing of its text, which may hold a secret.
    """

    closer: str
    stage: str
    error: str


class Closers:
    """What one service closes when it stops. Each once, and isolated from the others.

    Those of a stage run beside each other. A stage has an equal share of the time that is left;
    who needs longer is left behind, so that one that hangs takes nothing from the next stage.

    Args:
        clock: Stamps events, and bounds the stages.
        events: Told of what fails.
        complain: Writes a text to stderr; must not raise.
    """

    __slots__ = ("_begun", "_clock", "_closers", "_complain", "_events", "_lock")

    def __init__(
        self, *, clock: Clock, events: Listeners, complain: Callable[[str], object]
    ) -> None:
        self._clock = clock
        self._events = events
        self._complain = complain
        self._closers: dict[Stage, list[Close]] = {stage: [] for stage in STAGES}
        self._begun = False
        self._lock = threading.Lock()

    def add(self, close: Close, *, stage: Stage = "clients") -> None:
        """Add a closer. A coroutine function runs on the app's loop, any other in a thread.

        Raises:
            ValueError: There is no such stage, or there are ``CLOSERS_MAX`` already.
        """
        if stage not in self._closers:
            raise ValueError(f"no stage {stage!r}: there are {', '.join(STAGES)}")
        with self._lock:
            if sum(map(len, self._closers.values())) >= CLOSERS_MAX:
                raise ValueError(f"more than {CLOSERS_MAX}: is one added for every request?")
            self._closers[stage].append(close)

    def run(self, within_s: float) -> None:
        """Close everything within ``within_s`` seconds; the second call does nothing."""
        for stage, closers, share_s in self._stages(within_s):
            running = [(close, _in_thread(partial(_close_all_of, close))) for close in closers]
            wait([done for _, done in running], timeout=share_s)
            for close, done in running:
                self._tell(stage, close, done.exception() if done.done() else TimeoutError())

    async def run_async(self, within_s: float) -> None:
        """Do what ``run`` does, without blocking the event loop."""
        for stage, closers, share_s in self._stages(within_s):
            running = [(close, asyncio.create_task(_close_async(close))) for close in closers]
            await asyncio.wait([task for _, task in running], timeout=share_s)
            for close, task in running:
                # Beforehand, since one that is cancelled in its last moment has no error to tell.
                error = task.exception() if task.done() else TimeoutError()
                task.cancel()
                self._tell(stage, close, error)

    def _stages(self, within_s: float) -> Iterator[tuple[Stage, list[Close], float]]:
        """Yield each stage that has closers, with the seconds it may take."""
        with self._lock:
            begun, self._begun = self._begun, True
        if begun:
            return
        last_s = self._clock.monotonic_s() + within_s
        stages = [stage for stage in STAGES if self._closers[stage]]
        for number, stage in enumerate(stages):
            left_s = max(0.0, last_s - self._clock.monotonic_s())
            yield stage, self._closers[stage], left_s / (len(stages) - number)

    def _tell(self, stage: Stage, close: Close, error: BaseException | None) -> None:
        if error is None:
            return
        name = getattr(close, "__qualname__", type(close).__qualname__)
        trail = "".join(traceback.format_exception(error))
        self._complain(f"mainstay: closing {name} ({stage}) failed\n{trail}")
        if self._events.listening:
            at_s, kind = self._clock.wall_s(), type(error).__name__
            self._events.emit(CloserFailed(at_s=at_s, closer=name, stage=stage, error=kind))


def _in_thread(act: Callable[[], object]) -> "Future[object]":
    """Run ``act`` in a thread of its own. A daemon, so that what hangs can't hold the process."""
    done: Future[object] = Future()

    def run() -> None:
        try:
            done.set_result(act())
        except BaseException as error:  # noqa: BLE001  A user's function may raise anything.
            done.set_exception(error)

    done.set_running_or_notify_cancel()
    threading.Thread(target=run, name="closer", daemon=True).start()
    return done


def _close_all_of(close: Close) -> None:
    answer = close()
    if inspect.isawaitable(answer):
        asyncio.run(_of(answer))


async def _close_async(close: Close) -> None:
    answer: object
    if inspect.iscoroutinefunction(close):
        answer = close()
    else:
        answer = await asyncio.wrap_future(_in_thread(close))
    if inspect.isawaitable(answer):
        await answer


async def _of(answer: Awaitable[object]) -> object:
    return await answer
