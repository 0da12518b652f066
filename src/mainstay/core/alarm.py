"""Interrupting asynchronous code when its time is up, at a cost that most calls never notice.

Nearly every deadline is met, so what matters is the cost of setting and forgetting one. An alarm
is not a timer of the loop's own heap: it parks in a bucket together with those that end at about
the same time, and one timer of the loop opens the bucket shortly before. The few alarms that are
still there then get a timer each, so that they ring on time. Setting and silencing an alarm are
then one insertion into and one removal from a dict.
"""

import asyncio
import math
from asyncio import AbstractEventLoop, Task, TimerHandle, current_task, get_running_loop
from typing import Any, Protocol

from mainstay.core.clock import Clock
from mainstay.core.deadline import Scope
from mainstay.core.errors import PolicyMisused

_SHORT_S = 0.016
"""An alarm nearer than this gets its own timer: parking would set two timers for one."""

_PARTS_EXPONENT = 4
"""A bucket is 2 ** -4 of the octave of the time left wide: it opens in its last eighth."""

_EARLY_S = 1e-6
"""Clocks differ by rounding; so much before its time an alarm may ring."""

_AGAIN_S = 0.001
"""The least time to the next look where a loop's timer ran too early (uvloop's count in ms)."""


class Parked(Protocol):
    """Where an alarm waits: a bucket, or a timer of its own."""

    def pop(self, alarm: "Alarm", default: None) -> object:
        """Take the alarm out; one that is not there is no error."""
        ...


class Alarm(Scope):
    """A scope that cancels its task when it expires.

    Attributes:
        task: What is cancelled.
        cancelling: How often the task was asked to end before the alarm was set: more than that
            at the end means that somebody else wants it to end too.
        rang: Whether it did.
        parked: Where it waits, so that it can be taken out.
    """

    __slots__ = ("cancelling", "parked", "rang", "task")

    def __init__(  # noqa: PLR0917  By position: it runs for every call.
        self,
        clock: Clock,
        expires_s: float,
        retrying: tuple[str, ...],
        outer: Scope | None,
        region: object,
        task: "Task[Any]",
    ) -> None:
        # Not through super(): this runs for every call.
        self.clock = clock
        self.expires_s = expires_s
        self.retrying = retrying
        self.outer = outer
        self.region = region
        self.task = task
        self.cancelling = task.cancelling()
        self.rang = False
        self.parked: Parked = _NOWHERE

    def silence(self, error: BaseException | None) -> bool:
        """Take the alarm out at the end of its scope.

        Args:
            error: What ended the scope, or None.

        Returns:
            Whether ``error`` is the cancellation by this alarm, and by nobody else: then the
            caller raises what it means instead.
        """
        self.parked.pop(self, None)
        if not self.rang:
            return False
        only_ours = self.task.uncancel() <= self.cancelling
        return only_ours and isinstance(error, asyncio.CancelledError)


class _Nowhere:
    __slots__ = ()

    def pop(self, alarm: Alarm, default: None) -> None:
        """Nothing is parked here."""


_NOWHERE = _Nowhere()


class _Alone:
    """An alarm with a timer of its own."""

    __slots__ = ("_handle",)

    def __init__(self, handle: TimerHandle) -> None:
        self._handle = handle

    def pop(self, alarm: Alarm, default: None) -> None:  # noqa: ARG002  The form of a dict's.
        """Cancel the timer."""
        self._handle.cancel()


class Alarms:
    """The alarms of one event loop by one clock. Used by the loop's thread alone.

    Bounded by the alarms that are set, and empty buckets: sixteen for each octave of durations.
    """

    __slots__ = ("_loop", "buckets", "clock")

    def __init__(self, loop: AbstractEventLoop, clock: Clock) -> None:
        self._loop = loop
        self.clock = clock
        # By opening time. A dict is a set that remembers its order: alarms of one moment ring in
        # the order in which they were set, which a simulation can repeat.
        self.buckets: dict[float, dict[Alarm, None]] = {}

    def set(self, alarm: Alarm, width_s: float) -> None:
        """Let ``alarm`` ring when it expires.

        Args:
            alarm: Its scope expires at some time.
            width_s: What ``bucket_width_s`` says about the time that is left, or was when nearly
                the same time was left: a bucket that should be open already opens at once.
        """
        if not width_s:
            self._alone(alarm)
            return
        expires_s = alarm.expires_s
        opens_s = expires_s - expires_s % width_s
        bucket = self.buckets.get(opens_s)
        if bucket is None:
            bucket = self.buckets[opens_s] = {}
            self._loop.call_later(opens_s - self.clock.monotonic_s(), self._open, opens_s)
        bucket[alarm] = None
        alarm.parked = bucket

    def _open(self, opens_s: float) -> None:
        for alarm in self.buckets.pop(opens_s):
            self._alone(alarm)

    def _alone(self, alarm: Alarm) -> None:
        left_s = max(0.0, alarm.expires_s - self.clock.monotonic_s())
        alarm.parked = _Alone(self._loop.call_later(left_s, self._ring, alarm))

    def _ring(self, alarm: Alarm) -> None:
        left_s = alarm.expires_s - self.clock.monotonic_s()
        if left_s > _EARLY_S:
            alarm.parked = _Alone(self._loop.call_later(max(left_s, _AGAIN_S), self._ring, alarm))
            return
        alarm.rang = True
        alarm.task.cancel()


def bucket_width_s(left_s: float) -> float:
    """Return the width of the bucket for an alarm that rings in ``left_s``, or 0 for none."""
    if left_s < _SHORT_S:
        return 0.0
    return math.ldexp(1.0, math.frexp(left_s)[1] - _PARTS_EXPONENT)


ALARMS: dict[AbstractEventLoop, Alarms] = {}
"""The alarms of each loop by the clock that was used there last; ``alarms_of`` finds the others."""

_OF_OTHER_CLOCKS: dict[tuple[AbstractEventLoop, int], Alarms] = {}


def alarms_of(loop: AbstractEventLoop, clock: Clock) -> Alarms:
    """Return the alarms of a running loop by ``clock``, made on first use."""
    alarms = ALARMS.get(loop)
    if alarms is None or alarms.clock is not clock:
        # Those of a loop that was closed can't ring: dropped here, nobody else need remember to.
        for closed in [one for one in list(ALARMS) if one.is_closed()]:
            ALARMS.pop(closed, None)
        for key, one in list(_OF_OTHER_CLOCKS.items()):
            if key[0].is_closed() or not one.buckets:
                _OF_OTHER_CLOCKS.pop(key, None)
        # The value holds the clock, so its id is not used again while the key is here.
        key = (loop, id(clock))
        alarms = _OF_OTHER_CLOCKS.setdefault(key, Alarms(loop, clock))
        ALARMS[loop] = alarms
    return alarms


def set_alarm(  # noqa: PLR0917  By position: it runs for every call.
    clock: Clock,
    expires_s: float,
    retrying: tuple[str, ...],
    outer: Scope | None,
    width_s: float | None = None,
    region: object = None,
) -> Alarm:
    """Return an alarm for the current task, set to ring at ``expires_s`` of ``clock``.

    One that never expires, or for which the scope around it rings in the same task at the same
    time or before, is not set: it is a scope and no more.

    Args:
        clock: See ``Alarm``, as the three that follow.
        expires_s: When to ring.
        retrying: Who tries again what is within.
        outer: The scope around it.
        width_s: As ``Alarms.set`` takes it, where the caller knows; None works it out.
        region: Whose scope it is.

    Raises:
        PolicyMisused: No task runs: an event loop's callback can't be interrupted.
    """
    loop = get_running_loop()
    task = current_task(loop)
    if task is None:
        raise PolicyMisused("a deadline needs a task to interrupt; a callback of the loop has none")
    alarm = Alarm(clock, expires_s, retrying, outer, region, task)
    if outer is not None and covered(outer, expires_s, task, clock):
        return alarm
    if expires_s == math.inf:
        return alarm
    alarms = ALARMS.get(loop)
    if alarms is None or alarms.clock is not clock:
        alarms = alarms_of(loop, clock)
    if width_s is None:
        width_s = bucket_width_s(expires_s - clock.monotonic_s())
    alarms.set(alarm, width_s)
    return alarm


def covered(outer: Scope, expires_s: float, task: "Task[Any]", clock: Clock) -> bool:
    """Return whether the alarm of ``outer`` rings in the same task at ``expires_s`` or before."""
    return (
        isinstance(outer, Alarm)
        and outer.task is task
        and outer.clock is clock
        and outer.expires_s <= expires_s
    )
