"""The board of checks: each runs once however many probes ask, and its answer is used for a while.

A check that still runs is never started again: one that hangs holds one thread, however long it
hangs and however often health is asked.
"""

import asyncio
import inspect
import threading
from collections.abc import Awaitable
from concurrent.futures import Future, wait
from dataclasses import dataclass

from mainstay.core.clock import Clock
from mainstay.service.inbound.health.check import Answer, Check, failure_of, finding_of
from mainstay.service.inbound.health.document import Finding, Outcome, Status

CHECKS_MAX = 128
"""Checks of one service, and so the most threads that hung checks can hold."""


_LATE = Finding(status=Status.FAIL, output="timeout")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What a run found, and when in monotonic and in wall time."""

    finding: Finding
    ended_s: float
    at_s: float


@dataclass(slots=True, kw_only=True)
class _Run:
    """One run of a check; ``ended`` is done when the check is, not when the waiting ends."""

    started_s: float
    ended: "Future[Ended]"
    task: "asyncio.Task[None] | None" = None


class Board:
    """The checks of one service. Probes of any thread or event loop may ask at the same time.

    Args:
        clock: Times the checks, and stamps their outcomes.
        cache_s: How long an answer is used again; 0 asks anew each time.
    """

    __slots__ = ("_cache_s", "_checks", "_clock", "_lock", "_runs")

    def __init__(self, *, clock: Clock, cache_s: float) -> None:
        self._clock = clock
        self._cache_s = cache_s
        self._checks: dict[str, Check] = {}
        self._runs: dict[str, _Run] = {}
        self._lock = threading.Lock()

    def add(self, check: Check) -> None:
        """Add a check.

        Raises:
            ValueError: Its name is taken, or there are ``CHECKS_MAX`` already.
        """
        if check.name in self._checks:
            raise ValueError(f"there is a check named {check.name!r} already")
        if len(self._checks) >= CHECKS_MAX:
            raise ValueError(f"more than {CHECKS_MAX} checks: is one added for every request?")
        # A new dict, so that a probe which is reading keeps the one it started with.
        self._checks = {**self._checks, check.name: check}

    def ask(self, *, critical_only: bool) -> dict[str, Outcome]:
        """Return the outcome of every check, in the order they were added; run what is stale.

        Blocks for at most the longest timeout. Readiness asks for the critical checks only, so
        that an optional dependency which hangs delays no probe.
        """
        asked = self._begin(critical_only=critical_only, loop=None)
        wait([run.ended for _, run in asked], timeout=self._patience_s(asked))
        return {check.name: self._outcome(check, run) for check, run in asked}

    async def ask_async(self, *, critical_only: bool) -> dict[str, Outcome]:
        """Do what ``ask`` does, without blocking the event loop."""
        loop = asyncio.get_running_loop()
        asked = self._begin(critical_only=critical_only, loop=loop)
        pending = [asyncio.wrap_future(run.ended) for _, run in asked if not run.ended.done()]
        if pending:
            await asyncio.wait(pending, timeout=self._patience_s(asked))
            for waiting in pending:
                # Ours only: without it, a run that ends after this loop has would call into it.
                waiting.cancel()
        return {check.name: self._outcome(check, run) for check, run in asked}

    def _begin(
        self, *, critical_only: bool, loop: asyncio.AbstractEventLoop | None
    ) -> list[tuple[Check, _Run]]:
        """Return each check with the run to look at; start one where none is fresh or running."""
        asked = []
        for check in self._checks.values():
            if critical_only and not check.critical:
                continue
            with self._lock:
                run = self._runs.get(check.name)
                stale = run is None or self._is_stale(run)
                if stale:
                    run = _Run(started_s=self._clock.monotonic_s(), ended=Future())
                    # A running future can't be cancelled by one of those who wait for it.
                    run.ended.set_running_or_notify_cancel()
                    self._runs[check.name] = run
            assert run is not None
            if stale:
                self._start(check, run, loop)
            asked.append((check, run))
        return asked

    def _is_stale(self, run: _Run) -> bool:
        if not run.ended.done():
            return False
        return self._clock.monotonic_s() - run.ended.result().ended_s >= self._cache_s

    def _start(self, check: Check, run: _Run, loop: asyncio.AbstractEventLoop | None) -> None:
        if check.is_async and loop is not None:
            # The loop itself holds tasks weakly.
            run.task = loop.create_task(self._run_async(check, run))
            return
        # A daemon: a check that hangs must not keep the process from ending.
        threading.Thread(
            target=self._run_sync, args=(check, run), name=f"check-{check.name}", daemon=True
        ).start()

    def _run_sync(self, check: Check, run: _Run) -> None:
        try:
            answer = check.run()
            if inspect.isawaitable(answer):
                answer = asyncio.run(_bounded(answer, check.timeout_s))
            finding = finding_of(answer)
        except BaseException as error:  # noqa: BLE001  A user's check may raise anything.
            finding = failure_of(error)
        self._end(run, finding)

    async def _run_async(self, check: Check, run: _Run) -> None:
        finding = Finding(status=Status.FAIL, output="cancelled")
        try:
            answer = check.run()
            assert inspect.isawaitable(answer), "is_async said so"
            finding = finding_of(await _bounded(answer, check.timeout_s))
        except Exception as error:  # noqa: BLE001  As above; cancellation passes.
            finding = failure_of(error)
        finally:
            self._end(run, finding)

    def _end(self, run: _Run, finding: Finding) -> None:
        run.ended.set_result(
            Ended(
                finding=finding,
                ended_s=self._clock.monotonic_s(),
                at_s=self._clock.wall_s(),
            )
        )

    def _patience_s(self, asked: list[tuple[Check, _Run]]) -> float:
        """Return how long to wait for the runs; each one's time counts from its own start."""
        now_s = self._clock.monotonic_s()
        left_s = (
            run.started_s + check.timeout_s - now_s for check, run in asked if not run.ended.done()
        )
        return max(0.0, max(left_s, default=0.0))

    def _outcome(self, check: Check, run: _Run) -> Outcome:
        if run.ended.done():
            ended = run.ended.result()
            late = ended.ended_s - run.started_s > check.timeout_s
            finding, at_s = ended.finding, ended.at_s
        else:
            late, finding, at_s = True, _LATE, self._clock.wall_s()
        return Outcome(
            finding=_LATE if late else finding,
            critical=check.critical,
            component_type=check.component_type,
            at_s=at_s,
        )


async def _bounded(answer: Awaitable[Answer], timeout_s: float) -> Answer:
    async with asyncio.timeout(timeout_s):
        return await answer
