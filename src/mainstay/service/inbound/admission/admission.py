"""Admission: who is worked on now, who waits, and who is turned away.

The decisions are made by the limiter and the queue, which wait for nobody. Here they get their
time, their lock, and tasks and threads that wait.
"""

import asyncio
import threading
from collections import deque
from dataclasses import replace
from random import Random

from mainstay.core.clock import Clock
from mainstay.core.events import Event, Listeners
from mainstay.service.inbound.admission.events import LimitChanged, OverloadBegan, OverloadEnded
from mainstay.service.inbound.admission.limiter import Limiter
from mainstay.service.inbound.admission.pressure import Pressure
from mainstay.service.inbound.admission.priorities import NOBODY, Priorities, bounds
from mainstay.service.inbound.admission.queue import Queue, Waiter
from mainstay.service.inbound.admission.refusals import TIME_IS_UP, overloaded
from mainstay.service.inbound.admission.stats import AdmissionStats
from mainstay.service.inbound.admission.waiters import TaskWaiter, ThreadWaiter
from mainstay.service.inbound.exchange import Exchange
from mainstay.service.inbound.problems.refusal import Refusal
from mainstay.spec.shed import Shed

_STATUS_FAILED = 500
_TOLD_SHARE = 0.1
"""So much a limit differs from the last one told: to tell every window would be noise."""

_CALM = 50
"""In a queue for threads, a wait so many times shorter than the longest one is none: 10 ms."""


class Admission:
    """Bounds what is worked on at once. Shared by tasks, threads and loops.

    ::

        if admission.enter(exchange) or (refusal := await admission.wait(exchange)) is None:
            try:
                ...
            finally:
                admission.leave(exchange, now_s)

    Args:
        options: What is declared.
        clock: The time, of exchanges as well.
        events: Hears ``LimitChanged``, ``OverloadBegan`` and ``OverloadEnded``.
        rng: Spreads ``Retry-After`` and measurements; None makes one.
    """

    __slots__ = (
        "_acquire", "_bounds", "_calm_s", "_clock", "_events", "_in_flight", "_limiter", "_lock",
        "_news", "_options", "_overload", "_pressure", "_priorities", "_queue", "_refused",
        "_release", "_rng", "_telling", "_told", "fixed_priority", "priority_of",
    )  # fmt: skip

    def __init__(
        self, options: Shed, *, clock: Clock, events: Listeners, rng: Random | None = None
    ) -> None:
        self._options = options
        self._clock = clock
        self._events = events
        self._rng = Random() if rng is None else rng
        self._priorities = Priorities(options)
        # Bound once: a method around it would double the cost.
        self.priority_of = self._priorities.of
        self.fixed_priority = self._priorities.fixed
        # One that may be entered again: what is thrown away half done leaves whenever memory is
        # collected, and that may be in the middle of a step of the same thread.
        self._lock = threading.RLock()
        self._acquire, self._release = self._lock.acquire, self._lock.release
        self._pressure = Pressure(cpu_max=options.cpu_max, lag_max_s=options.lag_max_s, clock=clock)
        self._in_flight = 0
        self._calm_s = 0.0
        self._begin()
        self._refused = [0] * NOBODY
        # (since when, refused before) while overload is told; events to tell outside the lock.
        self._overload: tuple[float, int] | None = None
        self._news: deque[Event] = deque()
        self._telling = threading.Lock()

    def fit(self, *, places: int, waiting: int) -> None:
        """Bound all of it by what the server has. Called before the first request.

        Args:
            places: Never are more worked on at once; 1 or more.
            waiting: Never do more wait.
        """
        options = self._options
        self._calm_s = options.wait_s / _CALM
        self._options = replace(
            options,
            limit=min(options.limit, places),
            limit_min=min(options.limit_min, places),
            limit_max=min(options.limit_max, places),
            queue=min(options.queue, waiting),
        )
        self._begin()

    def _begin(self) -> None:
        """Make what decides, as the options say."""
        options = self._options
        self._queue = Queue(options.queue, options.wait_s, self._calm_s)
        self._limiter = (
            Limiter(options, self._rng, self._clock.monotonic_s())
            if options.mode == "adaptive"
            else None
        )
        limit = options.limit if self._limiter is None else int(self._limiter.limit)
        self._bounds: tuple[int, ...] = bounds(limit, self._priorities.used)
        self._told = limit

    def enter(self, exchange: Exchange) -> bool:
        """Admit a request at once, if there is room and nobody as important waits.

        Returns:
            False: ask ``wait``.
        """
        priority = exchange.priority
        # As `with self._lock`, in half the time: for every request.
        acquire, release = self._acquire, self._release
        acquire()
        try:
            if self._in_flight < self._bounds[priority] and priority < self._queue.head:
                self._in_flight += 1
                return True
            return False
        finally:
            release()

    async def wait(self, exchange: Exchange) -> Refusal | None:
        """Wait for room, where that is allowed, in the current task.

        Returns:
            None: admitted; the caller owes a ``leave``. Else why not.
        """
        loop = asyncio.get_running_loop()
        waiter = TaskWaiter(loop, exchange.priority)
        now_s = self._clock.monotonic_s()
        wait_s = self._join(waiter, now_s)
        if waiter.granted is None:
            wait_s = min(wait_s, exchange.expires_s - now_s)
            timer = loop.call_later(max(0.0, wait_s), waiter.wake)
            try:
                await waiter.future
            except BaseException:
                # Cancelled; a place that was granted in the same moment would be lost for ever.
                self._give_up(waiter)
                raise
            finally:
                timer.cancel()
        return self._ended(waiter, exchange)

    def wait_in_thread(self, exchange: Exchange) -> Refusal | None:
        """Wait for room, where that is allowed, in the current thread; as ``wait``."""
        waiter = ThreadWaiter(exchange.priority)
        now_s = self._clock.monotonic_s()
        wait_s = self._join(waiter, now_s)
        if waiter.granted is None:
            wait_s = min(wait_s, exchange.expires_s - now_s)
            try:
                waiter.settled.acquire(timeout=max(0.0, wait_s))
            except BaseException:
                # An interrupt; see above.
                self._give_up(waiter)
                raise
        return self._ended(waiter, exchange)

    def leave(self, exchange: Exchange, now_s: float) -> None:
        """Give the place of an admitted request back, exactly once.

        Its latency counts from when it was ready until its answer began, if it was answered: not
        where its client left, where it failed or where it was refused after all. Where its time
        was up, it counts as at least as long as that.
        """
        limiter = self._limiter
        acquire, release = self._acquire, self._release
        acquire()
        try:
            in_flight = self._in_flight
            assert in_flight > 0, "each leave has its enter"
            self._in_flight = in_flight - 1
            since_s = exchange.ready_s
            if limiter is not None:
                limiter.done += 1
                if exchange.refusal is None:
                    ended_s = exchange.begun_s
                    counts = exchange.error is None and 0 < exchange.status < _STATUS_FAILED
                else:
                    ended_s = now_s
                    counts = exchange.refusal.kind == TIME_IS_UP.kind
                if (
                    limiter.sample(ended_s - since_s, in_flight, now_s)
                    if counts
                    else limiter.probe is not None
                ):
                    self._decide(limiter, in_flight, now_s)
            if self._queue.head != NOBODY:
                self._hand_on(now_s)
        finally:
            release()
        if self._news:
            self._tell()

    def stats(self) -> AdmissionStats:
        """Return a snapshot."""
        with self._lock:
            limiter = self._limiter
            return AdmissionStats(
                limit=self._options.limit if limiter is None else int(limiter.limit),
                in_flight=self._in_flight,
                waiting=len(self._queue),
                refused=tuple(self._refused),
                overloaded=self._queue.overloaded(self._clock.monotonic_s()),
                probing=limiter is not None and limiter.probe is not None,
                latency_s=0.0 if limiter is None else limiter.latency_s,
                baseline_s=0.0 if limiter is None else limiter.baseline_s,
                cpu=self._pressure.cpu,
                lag_s=self._pressure.lag_s,
            )

    def _join(self, waiter: Waiter, now_s: float) -> float:
        """Admit, queue or refuse a waiter; return how long it may wait."""
        with self._lock:
            if self._limiter is not None:
                self._limiter.pressed = True
                if self._limiter.probe is not None:
                    # Where nobody leaves, this ends the probe.
                    self._decide(self._limiter, self._in_flight, now_s)
            # In the meantime there may be room.
            if self._in_flight < self._bounds[waiter.priority] and (
                waiter.priority < self._queue.head
            ):
                self._in_flight += 1
                waiter.granted = True
                return 0.0
            wait_s = self._queue.wait_s(now_s)
            evicted = self._queue.join(waiter, now_s)
            if evicted is waiter:
                waiter.granted = False
            elif evicted is not None:
                evicted.settle(granted=False)
            self._watch(now_s)
            return wait_s

    def _ended(self, waiter: Waiter, exchange: Exchange) -> Refusal | None:
        """Return why a waiter that waits no longer is refused, or None."""
        now_s = self._clock.monotonic_s()
        is_late = now_s >= exchange.expires_s
        with self._lock:
            if waiter.granted and not is_late:
                # Its wait is no latency.
                exchange.ready_s = now_s
                return None
            self._withdraw(waiter, now_s)
            self._refused[waiter.priority] += 1
        if self._news:
            self._tell()
        return TIME_IS_UP if is_late else overloaded(self._rng)

    def _give_up(self, waiter: Waiter) -> None:
        with self._lock:
            self._withdraw(waiter, self._clock.monotonic_s())
        if self._news:
            self._tell()

    def _withdraw(self, waiter: Waiter, now_s: float) -> None:
        """Take back what a waiter has: its place in the queue, or in flight."""
        if waiter.granted:
            self._in_flight -= 1
            self._hand_on(now_s)
        elif waiter.granted is None:
            waiter.granted = False
            self._queue.remove(waiter)
            self._watch(now_s)

    def _hand_on(self, now_s: float) -> None:
        """Give the free places to those that wait, the most important first."""
        queue = self._queue
        # What is less important has no more room than this, so the first decides for all.
        while queue.head != NOBODY and self._in_flight < self._bounds[queue.head]:
            if queue.take(now_s).settle(granted=True):
                self._in_flight += 1
        self._watch(now_s)

    def _decide(self, limiter: Limiter, in_flight: int, now_s: float) -> None:
        limiter.decide(self._pressure.read, in_flight, len(self._queue), now_s)
        limit = int(limiter.limit)
        all_bounds = bounds(limit, self._priorities.used)
        if limiter.probe is not None:
            # Not the critical: they are few, or this is no time to measure.
            probe = limiter.probe.limit
            all_bounds = (all_bounds[0], *(min(one, probe) for one in all_bounds[1:]))
        self._bounds = all_bounds
        if abs(limit - self._told) > self._told * _TOLD_SHARE:
            if self._events.listening:
                self._news.append(
                    LimitChanged(
                        at_s=self._clock.wall_s(),
                        limit=limit,
                        before=self._told,
                        reason=limiter.reason,
                        latency_s=limiter.latency_s,
                        baseline_s=limiter.baseline_s,
                    )
                )
            self._told = limit
        self._hand_on(now_s)

    def _watch(self, now_s: float) -> None:
        """Note when overload begins, and when it ends."""
        if self._overload is None:
            if self._queue.overloaded(now_s):
                self._overload = (now_s, sum(self._refused))
                if self._events.listening:
                    limit = self._bounds[0]
                    waiting = len(self._queue)
                    at_s = self._clock.wall_s()
                    self._news.append(OverloadBegan(at_s=at_s, limit=limit, waiting=waiting))
        elif not self._queue:
            since_s, refused = self._overload
            self._overload = None
            if self._events.listening:
                self._news.append(
                    OverloadEnded(
                        at_s=self._clock.wall_s(),
                        duration_s=now_s - since_s,
                        refused=sum(self._refused) - refused,
                    )
                )

    def _tell(self) -> None:
        """Emit what happened, in its order; never under the lock: a listener may take its time."""
        # Who comes while another thread tells leaves that to it, and it looks again afterwards.
        while self._news and self._telling.acquire(blocking=False):
            try:
                while self._news:
                    self._events.emit(self._news.popleft())
            finally:
                self._telling.release()
