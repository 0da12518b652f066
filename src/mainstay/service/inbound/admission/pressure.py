"""The second opinion on overload: the processor time of this process, and a loop that is late."""

import asyncio
import math
import resource
from asyncio import AbstractEventLoop
from collections.abc import Callable

from mainstay.core.clock import Clock

_CPU_EVERY_S = 0.5
"""A share of processor time over less would be mostly noise."""

_TICK_S = 0.05
_IDLE_S = 2.0
"""Without a look for so long, ticking ends, until the next one."""


def process_cpu_s() -> float:
    """Return the processor time that this process has used so far, of all its threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


class Pressure:
    """Watches one process, and the loop that asked first. Costs nothing while nobody asks.

    Args:
        cpu_max: Share of one core that is the bound; None: not looked at. More than one core's
            worth is possible where threads run native code, and counts as the bound.
        lag_max_s: The bound for the loop; None: not looked at.
        clock: The time.
        cpu_s: Returns the processor time used so far.

    Attributes:
        cpu: Share of one core, of the last half second; 0 before there is one.
        lag_s: How late the loop was, at worst, between the last two looks.
    """

    __slots__ = (
        "_asked_s", "_clock", "_cpu_at", "_cpu_max", "_cpu_s", "_due_s", "_lag_max_s", "_loop",
        "_worst_s", "cpu", "lag_s",
    )  # fmt: skip

    def __init__(
        self,
        *,
        cpu_max: float | None,
        lag_max_s: float | None,
        clock: Clock,
        cpu_s: Callable[[], float] = process_cpu_s,
    ) -> None:
        self._cpu_max = cpu_max
        self._lag_max_s = lag_max_s
        self._clock = clock
        self._cpu_s = cpu_s
        # (when, processor time)
        self._cpu_at = (-math.inf, 0.0)
        self._loop: AbstractEventLoop | None = None
        self._due_s = self._asked_s = 0.0
        self._worst_s = 0.0
        self.cpu = 0.0
        self.lag_s = 0.0

    def read(self, now_s: float) -> str | None:
        """Return which bound is reached, ``cpu`` or ``loop-lag``, or None."""
        if self._lag_max_s is not None:
            self._look_at_loop(now_s)
            if self.lag_s >= self._lag_max_s:
                return "loop-lag"
        if self._cpu_max is not None:
            self._look_at_cpu(now_s)
            if self.cpu >= self._cpu_max:
                return "cpu"
        return None

    def _look_at_cpu(self, now_s: float) -> None:
        since_s, used_s = self._cpu_at
        if now_s - since_s < _CPU_EVERY_S:
            return
        present_s = self._cpu_s()
        self.cpu = (present_s - used_s) / (now_s - since_s)
        self._cpu_at = (now_s, present_s)

    def _look_at_loop(self, now_s: float) -> None:
        self._asked_s = now_s
        if self._loop is not None and not self._loop.is_closed():
            # It may be late at this moment, too.
            self.lag_s = max(self._worst_s, now_s - self._due_s)
            self._worst_s = 0.0
            return
        self.lag_s = 0.0
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            # A thread of a WSGI server: there is no loop to be late.
            self._loop = None
            return
        self._tick_later(now_s)

    def _tick_later(self, now_s: float) -> None:
        assert self._loop is not None, "only with a loop"
        self._due_s = now_s + _TICK_S
        self._loop.call_later(_TICK_S, self._tick)

    def _tick(self) -> None:
        now_s = self._clock.monotonic_s()
        self._worst_s = max(self._worst_s, now_s - self._due_s)
        if now_s - self._asked_s > _IDLE_S:
            self._loop = None
            return
        self._tick_later(now_s)
