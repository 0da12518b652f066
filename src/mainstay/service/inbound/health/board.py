"""The board of checks: what each last found. Runs them when they are due, or when a probe must.

A check that still runs is never started again: one that hangs holds one thread, however long it
hangs and however often health is asked.
"""

import asyncio
import inspect
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, wait
from random import Random

from mainstay.core.clock import Clock
from mainstay.service.inbound.health.check import Answer, Check, failure_of, finding_of
from mainstay.service.inbound.health.document import Finding, Outcome, Status
from mainstay.service.inbound.health.standing import Standing, kept_s, pause_s, stand

CHECKS_MAX = 128
"""Checks of one service, and so the most threads that hung checks can hold."""

Wanted = Callable[[Check], bool]

_LATE = Finding(status=Status.FAIL, output="timeout")
_IDLE_S = 60.0


def everything(check: Check) -> bool:
    """Want every check."""
    del check
    return True


def critical(check: Check) -> bool:
    """Want what readiness needs: an optional dependency that hangs delays no probe."""
    return check.critical


class _Run:
    """One run of a check; ``ended`` is done when the check is, not when the waiting ends."""

    __slots__ = ("ended", "late", "started_s", "task")

    def __init__(self, started_s: float) -> None:
        self.started_s = started_s
        # Whether its time was over before it ended; then what it finds does not count.
        self.late = False
        # The loop itself holds tasks weakly.
        self.task: asyncio.Task[None] | None = None
        self.ended: Future[None] = Future()
        # A running future can't be cancelled by one of those who wait for it.
        self.ended.set_running_or_notify_cancel()


class _Watch:
    """One check, its run if one is on its way, and what it found last. Behind the board's lock."""

    __slots__ = ("at_s", "check", "due_s", "ended_s", "finding", "run", "standing", "took_s")

    def __init__(self, check: Check, due_s: float) -> None:
        self.check = check
        self.due_s = due_s
        self.run: _Run | None = None
        self.finding: Finding | None = None
        self.standing: Standing | None = None
        self.ended_s = self.at_s = 0.0
        self.took_s: float | None = None


class Board:
    """The checks of one service. Probes of any thread or event loop may ask at the same time.

    Args:
        clock: Times the checks, and stamps their outcomes.
        cache_s: How long an answer is used again; 0 asks anew each time.
        rng: Spreads the intervals; None makes one.

    Attributes:
        refreshed: Whether somebody calls ``refresh``: then answers are used for much longer.
    """

    __slots__ = ("__weakref__", "_cache_s", "_clock", "_lock", "_loop", "_rng", "_watches",
                 "refreshed")  # fmt: skip

    def __init__(self, *, clock: Clock, cache_s: float, rng: Random | None = None) -> None:
        self.refreshed = False
        self._clock = clock
        self._cache_s = cache_s
        self._rng = rng or Random()
        self._watches: dict[str, _Watch] = {}
        self._lock = threading.Lock()
        # Where coroutines run that nobody waits for: the loop that asked last.
        self._loop: asyncio.AbstractEventLoop | None = None

    def __len__(self) -> int:
        return len(self._watches)

    def add(self, check: Check) -> None:
        """Add a check.

        Raises:
            ValueError: Its name is taken, or there are ``CHECKS_MAX`` already.
        """
        if check.name in self._watches:
            raise ValueError(f"there is a check named {check.name!r} already")
        if len(self._watches) >= CHECKS_MAX:
            raise ValueError(f"more than {CHECKS_MAX} checks: is one added for every request?")
        # A new dict, so that a probe which is reading keeps the one it started with.
        watch = _Watch(check, self._clock.monotonic_s())
        self._watches = {**self._watches, check.name: watch}

    def forget_runs(self) -> None:
        """Forget what is on its way: the threads of a process that was forked are not ours."""
        self._lock = threading.Lock()
        self._loop = None
        for watch in self._watches.values():
            watch.run = None

    def ask(self, wanted: Wanted = everything) -> dict[str, Outcome]:
        """Return the outcome of every check that is wanted, in the order they were added.

        Runs what is not known, or is too old. Blocks for at most the longest timeout.
        """
        began_s = self._clock.monotonic_s()
        asked, running = self._begin(wanted, None)
        if running:
            wait([run.ended for _, run in running], timeout=self._patience_s(running))
            self._give_up(running, began_s)
        return self._outcomes(asked)

    async def ask_async(self, wanted: Wanted = everything) -> dict[str, Outcome]:
        """Do what ``ask`` does, without blocking the event loop."""
        began_s = self._clock.monotonic_s()
        asked, running = self._begin(wanted, asyncio.get_running_loop())
        if running:
            pending = [asyncio.wrap_future(run.ended) for _, run in running]
            await asyncio.wait(pending, timeout=self._patience_s(running))
            for waiting in pending:
                # Ours only: without it, a run that ends after this loop has would call into it.
                waiting.cancel()
            self._give_up(running, began_s)
        return self._outcomes(asked)

    def known(self) -> dict[str, Outcome]:
        """Return what checks last found, of those that ever ran; none is run for it."""
        return self._outcomes([one for one in self._watches.values() if one.finding is not None])

    def known_of(self, wanted: Wanted) -> dict[str, Outcome] | None:
        """Return what ``ask`` would, where it need run nothing for it; None where it must."""
        now_s = self._clock.monotonic_s()
        asked = [watch for watch in self._watches.values() if wanted(watch.check)]
        if not all(self._is_fresh(watch, now_s) for watch in asked):
            return None
        return self._outcomes(asked)

    def refresh(self) -> float:
        """Start what is due and give up what is late; return the seconds until the next look."""
        next_s = self._clock.monotonic_s() + _IDLE_S
        for watch in self._watches.values():
            next_s = min(next_s, self._look_after(watch))
        return max(0.0, next_s - self._clock.monotonic_s())

    def _look_after(self, watch: _Watch) -> float:
        """Do what is due for one check; return when to look after it again."""
        now_s = self._clock.monotonic_s()
        started = None
        with self._lock:
            run = watch.run
            if run is not None:
                last_s = run.started_s + watch.check.timeout_s
                if now_s < last_s:
                    return last_s
                if not run.late or now_s >= watch.due_s:
                    run.late = True
                    self._record(watch, _LATE, None)
            elif now_s >= watch.due_s:
                started = watch.run = _Run(now_s)
            else:
                return watch.due_s
        if started is None:
            return watch.due_s
        self._start(watch, started, self._loop, is_here=False)
        return now_s + watch.check.timeout_s

    def _begin(
        self, wanted: Wanted, loop: asyncio.AbstractEventLoop | None
    ) -> tuple[list[_Watch], list[tuple[_Watch, _Run]]]:
        """Return what is wanted, and of that the runs to wait for."""
        if loop is not None:
            self._loop = loop
        now_s = self._clock.monotonic_s()
        asked = [watch for watch in self._watches.values() if wanted(watch.check)]
        running: list[tuple[_Watch, _Run]] = []
        for watch in asked:
            if self._is_fresh(watch, now_s):
                continue
            with self._lock:
                run, is_new = watch.run, watch.run is None
                if run is None:
                    run = watch.run = _Run(now_s)
            if is_new:
                self._start(watch, run, loop, is_here=True)
            running.append((watch, run))
        return asked, running

    def _is_fresh(self, watch: _Watch, now_s: float) -> bool:
        if watch.finding is None:
            return False
        check = watch.check
        keep_s = kept_s(check.interval_s, check.timeout_s) if self.refreshed else self._cache_s
        return now_s - watch.ended_s < keep_s

    def _start(
        self,
        watch: _Watch,
        run: _Run,
        loop: asyncio.AbstractEventLoop | None,
        *,
        is_here: bool,
    ) -> None:
        """Start a run: on the loop, which may be another thread's, or in a thread of its own."""
        check = watch.check
        try:
            if check.is_async and loop is not None and not loop.is_closed():
                if is_here:
                    self._begin_task(watch, run)
                else:
                    loop.call_soon_threadsafe(self._begin_task, watch, run)
                return
            # A daemon: a check that hangs must not keep the process from ending.
            threading.Thread(
                target=self._run_sync, args=(watch, run), name=f"check-{check.name}", daemon=True
            ).start()
        except RuntimeError as error:
            # No more threads, or the loop was closed in this very moment.
            self._end(watch, run, failure_of(error))

    def _begin_task(self, watch: _Watch, run: _Run) -> None:
        run.task = asyncio.get_running_loop().create_task(self._run_async(watch, run))

    def _run_sync(self, watch: _Watch, run: _Run) -> None:
        check = watch.check
        try:
            answer = check.run()
            if inspect.isawaitable(answer):
                answer = asyncio.run(_bounded(answer, check.timeout_s))
            finding = finding_of(answer)
        except BaseException as error:  # noqa: BLE001  A user's check may raise anything.
            finding = failure_of(error)
        self._end(watch, run, finding)

    async def _run_async(self, watch: _Watch, run: _Run) -> None:
        check = watch.check
        finding = Finding(status=Status.FAIL, output="cancelled")
        try:
            answer = check.run()
            assert inspect.isawaitable(answer), "is_async said so"
            finding = finding_of(await _bounded(answer, check.timeout_s))
        except Exception as error:  # noqa: BLE001  As above; cancellation passes.
            finding = failure_of(error)
        finally:
            self._end(watch, run, finding)

    def _end(self, watch: _Watch, run: _Run, finding: Finding) -> None:
        took_s = self._clock.monotonic_s() - run.started_s
        with self._lock:
            # Not its run any more where the process was forked meanwhile.
            if watch.run is run:
                watch.run = None
                if took_s > watch.check.timeout_s:
                    finding = _LATE
                if not run.late:
                    self._record(watch, finding, took_s)
        run.ended.set_result(None)

    def _give_up(self, running: list[tuple[_Watch, _Run]], began_s: float) -> None:
        """Count those as late that have not ended while they were waited for.

        Once, however many waited: of those who began to wait before it was told, one tells.
        """
        for watch, run in running:
            with self._lock:
                if watch.run is run and (not run.late or watch.ended_s < began_s):
                    run.late = True
                    self._record(watch, _LATE, None)

    def _record(self, watch: _Watch, finding: Finding, took_s: float | None) -> None:
        """Take down what a check found. Under the lock."""
        check = watch.check
        watch.finding = finding
        watch.took_s = took_s
        watch.ended_s = self._clock.monotonic_s()
        watch.at_s = self._clock.wall_s()
        watch.standing = stand(
            watch.standing,
            failed=finding.status is Status.FAIL,
            failures=check.failures,
            successes=check.successes,
        )
        watch.due_s = watch.ended_s + pause_s(check.interval_s, watch.standing, self._rng)

    def _patience_s(self, running: list[tuple[_Watch, _Run]]) -> float:
        """Return how long to wait for the runs; each one's time counts from its own start."""
        now_s = self._clock.monotonic_s()
        left_s = (run.started_s + watch.check.timeout_s - now_s for watch, run in running)
        return max(0.0, *left_s)

    def _outcomes(self, asked: list[_Watch]) -> dict[str, Outcome]:
        now_s = self._clock.monotonic_s()
        with self._lock:
            return {watch.check.name: _outcome(watch, now_s) for watch in asked}


def _outcome(watch: _Watch, now_s: float) -> Outcome:
    check, standing = watch.check, watch.standing
    assert watch.finding is not None, "what was not known was run"
    assert standing is not None, "what was run was recorded"
    return Outcome(
        finding=watch.finding,
        critical=check.critical,
        component_type=check.component_type,
        component_id=check.component_id,
        affects=check.affects,
        at_s=watch.at_s,
        age_s=max(0.0, now_s - watch.ended_s),
        took_s=watch.took_s,
        failing=standing.failing,
        against=standing.against,
        needed=check.successes if standing.failing else check.failures,
    )


async def _bounded(answer: Awaitable[Answer], timeout_s: float) -> Answer:
    async with asyncio.timeout(timeout_s):
        return await answer
