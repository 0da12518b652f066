"""Faults on purpose: calls that fail, or take long, by chance or by a schedule.

``Faults`` decides what befalls each call and knows nothing of policies; whoever makes the call
(``Faults.wrap`` around a function, or a policy with ``policy.fault``) waits and raises.
"""

import asyncio
import functools
import inspect
import math
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from random import Random
from typing import Any, ParamSpec, TypeVar, cast

from mainstay.core.clock import Clock, SystemClock, pause
from mainstay.service.outbound.fault import FaultInjected, injected
from mainstay.testing.chance import seeded
from mainstay.testing.clock import VirtualClock

__all__ = ["FaultInjected", "Faults", "Phase", "faults", "outage", "slowdown"]

PHASES_MAX = 1_000

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """What befalls the calls of one span of time.

    Attributes:
        from_s: Its begin, in seconds since the faults were made.
        until_s: Its end, which it doesn't include; infinity means for good.
        error_rate: Share of its calls that fail, from 0 to 1.
        delay_s: What each of its calls waits, before it fails or is made.
        delay_end_s: What a call at the very end waits, the delay between the two being a straight
            line; None means that the delay stays as it is. Needs a finite ``until_s``.
    """

    from_s: float = 0.0
    until_s: float = math.inf
    error_rate: float = 0.0
    delay_s: float = 0.0
    delay_end_s: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.from_s < self.until_s:
            raise ValueError(f"a phase from {self.from_s} s until {self.until_s} s is no span")
        if not 0 <= self.error_rate <= 1:
            raise ValueError(f"error_rate is a share from 0 to 1, not {self.error_rate}")
        for delay_s in (self.delay_s, self.delay_end_s or 0.0):
            if not 0 <= delay_s < math.inf:
                raise ValueError(f"a delay is finite and not negative, not {delay_s} s")
        if self.delay_end_s is not None and self.until_s == math.inf:
            raise ValueError("a phase without end has no delay at its end")

    def delay_at_s(self, elapsed_s: float) -> float:
        """Return what a call waits that begins ``elapsed_s`` after the faults were made."""
        if self.delay_end_s is None:
            return self.delay_s
        done = (elapsed_s - self.from_s) / (self.until_s - self.from_s)
        return self.delay_s + (self.delay_end_s - self.delay_s) * done


def outage(*, from_s: float, until_s: float, delay_s: float = 0.0) -> Phase:
    """Return a span in which every call fails, after ``delay_s``."""
    return Phase(from_s=from_s, until_s=until_s, error_rate=1.0, delay_s=delay_s)


def slowdown(*, from_s: float, until_s: float, delay_s: float, delay_end_s: float) -> Phase:
    """Return a span in which calls succeed, but wait ever longer (or shorter)."""
    return Phase(from_s=from_s, until_s=until_s, delay_s=delay_s, delay_end_s=delay_end_s)


class Faults:
    """Decides what befalls each call. Safe to share between threads and tasks.

    Args:
        phases: The schedule. Of two that overlap the later in the list holds; where none is,
            calls are left alone.
        error: Makes the exception of a call that fails, a new one each time.
        clock: Says when a call is made; None takes that of the virtual loop in which they are
            made, else the machine's.
        rng: Which calls fail; None takes one with a fixed seed.

    Attributes:
        calls: How many were decided.
        failed: How many of them were made to fail.
    """

    def __init__(
        self,
        *phases: Phase,
        error: Callable[[], Exception] | None = None,
        clock: Clock | None = None,
        rng: Random | None = None,
    ) -> None:
        if len(phases) > PHASES_MAX:
            raise ValueError(f"{len(phases)} phases: at most {PHASES_MAX}")
        self.calls = 0
        self.failed = 0
        self._latest_first = phases[::-1]
        self._error = error or injected
        self._clock = clock or _present_clock()
        self._begun_s = self._clock.monotonic_s()
        self._rng = rng or seeded(0, "faults")
        self._lock = threading.Lock()

    def befall(self) -> tuple[float, Exception | None]:
        """Decide about one call: the seconds that it waits first, and the error it then raises."""
        elapsed_s = self._clock.monotonic_s() - self._begun_s
        phase = self._phase_at(elapsed_s)
        with self._lock:
            self.calls += 1
            # Drawn in every phase and for every call, so that a changed schedule or rate moves
            # no other decision.
            fails = self._rng.random() < (0.0 if phase is None else phase.error_rate)
            self.failed += fails
        delay_s = 0.0 if phase is None else phase.delay_at_s(elapsed_s)
        return delay_s, self._error() if fails else None

    def wrap(self, function: Callable[P, R]) -> Callable[P, R]:
        """Return ``function`` with faults before its calls; for a coroutine function, another.

        A call that fails is never made. Synchronous code sleeps on a ``VirtualClock`` by moving
        it, else for real; coroutines sleep by ``asyncio.sleep``, whatever the loop's time is.

        Raises:
            TypeError: It is a generator: its work is not done when its call returns.
        """
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(f"{function!r} is a generator: wrap what it calls")
        if inspect.iscoroutinefunction(function):
            return cast("Callable[P, R]", self._wrap_async(function))
        return self._wrap_sync(function)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Be a decorator: ``@faults(error_rate=0.2)`` is ``wrap``."""
        return self.wrap(function)

    def _wrap_sync(self, function: Callable[P, R]) -> Callable[P, R]:
        sleep = self._clock.sleep if isinstance(self._clock, VirtualClock) else pause

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            delay_s, error = self.befall()
            if delay_s:
                sleep(delay_s)
            if error is not None:
                raise error
            return function(*args, **kwargs)

        return call

    def _wrap_async(
        self, function: Callable[P, Coroutine[Any, Any, R]]
    ) -> Callable[P, Coroutine[Any, Any, R]]:
        @functools.wraps(function)
        async def call(*args: P.args, **kwargs: P.kwargs) -> R:
            delay_s, error = self.befall()
            if delay_s:
                await asyncio.sleep(delay_s)
            if error is not None:
                raise error
            return await function(*args, **kwargs)

        return call

    def _phase_at(self, elapsed_s: float) -> Phase | None:
        for phase in self._latest_first:
            if phase.from_s <= elapsed_s < phase.until_s:
                return phase
        return None


def faults(
    *,
    error_rate: float = 0.0,
    error: Callable[[], Exception] | None = None,
    delay_s: float = 0.0,
    seed: int = 0,
    clock: Clock | None = None,
) -> Faults:
    """Return faults that are the same at all times.

    Args:
        error_rate: Share of the calls that fail, from 0 to 1.
        error: Makes their exception: a class or a function; None makes ``FaultInjected``.
        delay_s: What every call waits first.
        seed: Decides which calls fail: with the same seed and the same calls, the same ones.
        clock: Time of the synchronous wait; None takes that of the virtual loop in which they are
            made, else the machine's.
    """
    phase = Phase(error_rate=error_rate, delay_s=delay_s)
    return Faults(phase, error=error, clock=clock, rng=seeded(seed, "faults"))


def _present_clock() -> Clock:
    try:
        return VirtualClock.running()
    except RuntimeError:
        return SystemClock()
