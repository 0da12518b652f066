"""Interrupting asynchronous code when its time is up, at a cost that most calls never notice.

Nearly every deadline is met, so what matters is the cost of setting and forgetting one. An alarm
is not a timer of the loop's own heap: it parks in a bucket together with those that end at about
the same time, and one timer of the loop opens the bucket shortly before. The few alarms that are
still there then get a timer each, so that they ring on time. Setting and silencing an alarm are
then one insertion into and one removal from a dict.
"""

import asyncio
import math
import sys
from asyncio import AbstractEventLoop, Task, TimerHandle, get_running_loop
from threading import get_ident
from typing import Any, Protocol

from mainstay.core.clock import Clock
from mainstay.core.errors import PolicyMisused
from mainstay.core.scope import Scope

if sys.version_info >= (3, 12):
    from asyncio import current_task
else:
    # 3.11 changes no more, and its public function is this behind a frame of Python.
    from asyncio.tasks import _current_tasks  # type: ignore[attr-defined]  # Not in its stubs.

    current_task = _current_tasks.get

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
        parked: Where it waits, so that it can be taken out; ``RANG`` when it did ring.
    """

    __slots__ = ("cancelling", "parked", "task")

    task: "Task[Any]"
    cancelling: int
    parked: Parked

    def ring(self) -> None:
        """Cancel the task: its time is up."""
        self.parked = RANG
        self.task.cancel()

    def silence(self, error: BaseException | None) -> bool:
        """Take the alarm out at the end of its scope.

        Args:
            error: What ended the scope, or None.

        Returns:
            Whether ``error`` is the cancellation by this alarm, and by nobody else: then the
            caller raises what it means instead.
        """
        if self.parked is not RANG:
            self.parked.pop(self, None)
            return False
        only_ours = self.task.uncancel() <= self.cancelling
        return only_ours and isinstance(error, asyncio.CancelledError)


class RegionAlarm(Alarm):
    """The alarm of the body of an ``async with``.

    Attributes:
        region: The object whose ``async with`` made it.
    """

    __slots__ = ("region",)

    region: object


class _Nowhere:
    __slots__ = ()

    def pop(self, alarm: Alarm, default: None) -> None:
        """Do nothing: nobody is parked here."""


NOWHERE = _Nowhere()
"""Where an alarm is that will not ring by itself."""


class _Rang:
    __slots__ = ()

    def pop(self, alarm: Alarm, default: None) -> None:  # noqa: ARG002  The form of a dict's.
        """Take the cancellation back, which the scope did not live to see."""
        alarm.task.uncancel()


RANG = _Rang()
"""Where an alarm is that has cancelled its task."""


class _Alone:
    """An alarm with a timer of its own."""

    __slots__ = ("_handle",)

    def __init__(self, handle: TimerHandle) -> None:
        self._handle = handle

    def pop(self, alarm: Alarm, default: None) -> None:  # noqa: ARG002  The form of a dict's.
        """Cancel the timer."""
        self._handle.cancel()


Bucket = dict[Alarm, None]
"""A dict is a set that remembers its order: alarms of one moment ring in the order in which they
were set, which a simulation can repeat."""


class Alarms:
    """The alarms of one event loop by one clock. Used by the loop's thread alone.

    Bounded by the alarms that are set, and empty buckets: sixteen for each octave of durations.
    """

    __slots__ = ("_loop", "buckets", "clock")

    def __init__(self, loop: AbstractEventLoop, clock: Clock) -> None:
        self._loop = loop
        self.clock = clock
        # By opening time.
        self.buckets: dict[float, Bucket] = {}

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
        bucket = self.bucket(alarm.expires_s, width_s)
        bucket[alarm] = None
        alarm.parked = bucket

    def bucket(self, expires_s: float, width_s: float) -> "Bucket":
        """Return the bucket for alarms that ring about ``expires_s``; made where it is missing."""
        opens_s = expires_s - expires_s % width_s
        bucket = self.buckets.get(opens_s)
        if bucket is None:
            bucket = self.buckets[opens_s] = {}
            self._loop.call_later(opens_s - self.clock.monotonic_s(), self._open, opens_s)
        return bucket

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
        alarm.ring()


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


class Lane:
    """Where alarms of one duration are set: it remembers the bucket that is being filled.

    Attributes:
        duration_s: What the alarms of this lane mostly have left when they are set.
        kind: Of its alarms; for a lane of a kind of its own.
    """

    kind: type[Alarm] = Alarm

    __slots__ = ("_clock", "_half_s", "_now", "_width_s", "duration_s")

    def __init__(self, duration_s: float, clock: Clock) -> None:
        self.duration_s = duration_s
        self._clock = clock
        self._half_s = duration_s / 2.0
        self._width_s = bucket_width_s(duration_s)
        # One tuple, read and written whole: tasks of several loops, in several threads, share it.
        # Thread, its loop, and the bucket with its span of time.
        self._now: tuple[int, AbstractEventLoop | None, float, float, Bucket] = (0, None, 0, 0, {})

    def set(
        self, began_s: float, expires_s: float, retrying: tuple[str, ...], outer: Scope | None
    ) -> Alarm:
        """Return an alarm for the current task, set to ring at ``expires_s``.

        Where the scope around it rings in the same task at that time or before, it is a scope and
        no more.

        Args:
            began_s: The present time.
            expires_s: When to ring; finite.
            retrying: Who tries again what is within.
            outer: The scope around it.

        Raises:
            PolicyMisused: No task runs.
        """
        thread, home, opens_s, closes_s, bucket = self._now
        # A loop that executes a task in this thread is the running one; asking for that one itself
        # costs a system call on 3.11.
        task = current_task(home) if thread == get_ident() else None
        if task is None:
            home, task = None, running_task()
        # Set one by one: a constructor would take twice as long.
        alarm = self.kind()
        alarm.clock = self._clock
        alarm.expires_s = expires_s
        alarm.retrying = retrying
        alarm.outer = outer
        alarm.task = task
        alarm.cancelling = task.cancelling()
        # What has less than half of the duration left might find its bucket opened already.
        if (
            outer is None
            and home is not None
            and opens_s <= expires_s < closes_s
            and expires_s - began_s > self._half_s
        ):
            bucket[alarm] = None
            alarm.parked = bucket
        else:
            self._set_within(alarm, began_s, outer)
        return alarm

    def _set_within(self, alarm: Alarm, began_s: float, outer: Scope | None) -> None:
        """Set an alarm that does not go into the bucket which is being filled."""
        if outer is not None and covered(outer, alarm.expires_s, alarm.task, self._clock):
            alarm.parked = NOWHERE
            return
        if alarm.expires_s == math.inf:
            alarm.parked = NOWHERE
            return
        left_s = alarm.expires_s - began_s
        loop = get_running_loop()
        alarms, width_s = alarms_of(loop, self._clock), self._width_s
        if left_s <= self._half_s or not width_s:
            alarms.set(alarm, bucket_width_s(left_s))
            return
        bucket = alarms.bucket(alarm.expires_s, width_s)
        bucket[alarm] = None
        alarm.parked = bucket
        opens_s = alarm.expires_s - alarm.expires_s % width_s
        self._now = (get_ident(), loop, opens_s, opens_s + width_s, bucket)


def region_alarm(
    clock: Clock,
    expires_s: float,
    retrying: tuple[str, ...],
    outer: Scope | None,
    region: object,
) -> RegionAlarm:
    """Return an alarm for the body of an ``async with``, set to ring at ``expires_s`` of ``clock``.

    One that never expires, or for which the scope around it rings in the same task at the same
    time or before, is not set: it is a scope and no more.

    Args:
        clock: Whose time ``expires_s`` is.
        expires_s: Monotonic seconds; infinite where nothing bounds the time.
        retrying: Names of the layers that retry the body.
        outer: The scope around it, or None.
        region: The object whose ``async with`` it is.

    Raises:
        PolicyMisused: No task runs: an event loop's callback can't be interrupted.
    """
    task = running_task()
    alarm = RegionAlarm()
    alarm.clock = clock
    alarm.expires_s = expires_s
    alarm.retrying = retrying
    alarm.outer = outer
    alarm.task = task
    alarm.cancelling = task.cancelling()
    alarm.parked = NOWHERE
    alarm.region = region
    within = outer is not None and covered(outer, expires_s, task, clock)
    if expires_s != math.inf and not within:
        left_s = expires_s - clock.monotonic_s()
        alarms_of(get_running_loop(), clock).set(alarm, bucket_width_s(left_s))
    return alarm


def running_task() -> "Task[Any]":
    """Return the task that runs now. Any: its result is whatever it returns.

    Raises:
        PolicyMisused: None does: an event loop's callback can't be interrupted.
    """
    task: Task[Any] | None = current_task(get_running_loop())
    if task is None:
        raise PolicyMisused("a deadline needs a task to interrupt; a callback of the loop has none")
    return task


def covered(outer: Scope, expires_s: float, task: "Task[Any]", clock: Clock) -> bool:
    """Return whether the alarm of ``outer`` rings in the same task at ``expires_s`` or before."""
    return (
        isinstance(outer, Alarm)
        and outer.task is task
        and outer.clock is clock
        and outer.expires_s <= expires_s
    )
