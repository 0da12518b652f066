"""Running a plan: the open loop, its connections and its recorder joined."""

import asyncio
import resource
from collections.abc import Callable, Iterator
from contextlib import suppress

from mainstay.control.load.arrivals import Arrival, arrivals
from mainstay.control.load.destination import resolve
from mainstay.control.load.exchange import Exchange, Failure, Outcome
from mainstay.control.load.pace import best_pace, keep_pace
from mainstay.control.load.plan import IN_FLIGHT_MAX, LoadPlan
from mainstay.control.load.pool import Endpoint, Pool
from mainstay.control.load.recorder import Progress, Recorder
from mainstay.control.load.report import LAG_TOLERATED_MS, Generator, LoadReport
from mainstay.control.load.target import Origin
from mainstay.control.load.wire import Wire
from mainstay.core.clock import Clock, SystemClock

PROGRESS_EVERY_S = 0.5
ANSWERS_GRACE_S = 5.0
"""Beyond the timeout of the last request; later the report is made without what is missing."""
DESCRIPTORS_RESERVED = 64
"""File descriptors left to the rest of the process."""

_NOT_SENT = Outcome(failure=Failure.NOT_SENT, detail="as many requests in flight as are allowed")


async def run_load(
    plan: LoadPlan,
    *,
    on_progress: Callable[[Progress], None] | None = None,
    stop: asyncio.Event | None = None,
) -> LoadReport:
    """Send what ``plan`` says and report what came of it.

    Args:
        plan: What to send, and when.
        on_progress: Called about twice a second, in the event loop; what it raises ends the test.
        stop: Once set, nothing more is sent and the report is of what has ended by then.

    Raises:
        LoadRefused: The plan cannot be run: all its faults (``PlanInvalid``), a target on another
            machine (``RemoteRefused``), or a name without an address. Nothing was sent.
    """
    plan.check()
    endpoints = await resolve(
        (target.origin for target in plan.targets),
        allow_remote=plan.allow_remote,
        connect_timeout_s=plan.connect_timeout_s,
    )
    load = Load(plan, endpoints, SystemClock())
    try:
        return await load.run(on_progress=on_progress, stop=stop or asyncio.Event())
    finally:
        await load.close()


class Load:
    """One run of a plan.

    Args:
        plan: Checked.
        endpoints: Where each origin of the plan is.
        clock: Monotonic.
    """

    def __init__(self, plan: LoadPlan, endpoints: dict[Origin, Endpoint], clock: Clock) -> None:
        self._plan = plan
        self._clock = clock
        self._recorder = Recorder(plan)
        self._pools = {
            origin: Pool(
                endpoint,
                clock=clock,
                finished=self._finished,
                timeout_s=plan.timeout_s,
                connect_timeout_s=plan.connect_timeout_s,
                response_bytes_max=plan.response_bytes_max,
            )
            for origin, endpoint in endpoints.items()
        }
        # By index of the target: what is needed to send one, without a look-up more.
        self._senders = [
            (Wire(target), self._pools[target.origin], target.method == "HEAD")
            for target in plan.targets
        ]
        self._in_flight = self._in_flight_peak = 0
        self._in_flight_max = min(plan.max_in_flight, descriptors_usable())
        self._all_answered = asyncio.Event()
        self._all_answered.set()
        # All are monotonic seconds and meaningless before the first request.
        self._start_s = self._last_sent_s = self._last_answer_s = clock.monotonic_s()

    async def run(
        self, *, on_progress: Callable[[Progress], None] | None, stop: asyncio.Event
    ) -> LoadReport:
        """Send everything, wait for the answers, return the report."""
        cpu_before_s = cpu_s()
        work = asyncio.ensure_future(self._work())
        others = [asyncio.ensure_future(_stopped(stop))]
        if on_progress is not None:
            others.append(asyncio.ensure_future(self._watch(on_progress)))
        try:
            ended, _ = await asyncio.wait((work, *others), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (work, *others):
                task.cancel()
            await asyncio.gather(work, *others, return_exceptions=True)
        for task in ended:
            # Raises what the sender or the caller's own on_progress raised.
            task.result()
        return self._report(interrupted=work.cancelled(), cpu_used_s=cpu_s() - cpu_before_s)

    async def close(self) -> None:
        """Close every connection."""
        for pool in self._pools.values():
            await pool.close()

    async def _work(self) -> None:
        with best_pace(self._clock) as pace:
            self._start_s = self._last_sent_s = self._last_answer_s = self._clock.monotonic_s()
            await keep_pace(arrivals(self._plan), start_s=self._start_s, pace=pace, send=self._send)
        # Every request ends by its own timeout; this bound is for what nobody has foreseen.
        with suppress(TimeoutError):
            async with asyncio.timeout(self._plan.timeout_s + ANSWERS_GRACE_S):
                await self._all_answered.wait()

    async def _watch(self, on_progress: Callable[[Progress], None]) -> None:
        while True:
            await asyncio.sleep(PROGRESS_EVERY_S)
            elapsed_s = self._clock.monotonic_s() - self._start_s
            on_progress(self._recorder.progress(elapsed_s=elapsed_s, in_flight=self._in_flight))

    def _send(self, arrival: Arrival, due_s: float) -> None:
        wire, pool, bodiless = self._senders[arrival.target]
        now_s = self._last_sent_s = self._clock.monotonic_s()
        exchange = Exchange(
            arrival=arrival,
            due_s=due_s,
            sent_s=now_s,
            wire=wire.request(arrival.turn),
            bodiless=bodiless,
        )
        self._recorder.sent(exchange)
        if self._in_flight >= self._in_flight_max:
            self._recorder.finished(exchange, _NOT_SENT, now_s=now_s)
            return
        self._in_flight += 1
        self._in_flight_peak = max(self._in_flight_peak, self._in_flight)
        self._all_answered.clear()
        pool.send(exchange)

    def _finished(self, exchange: Exchange, outcome: Outcome) -> None:
        now_s = self._last_answer_s = self._clock.monotonic_s()
        self._in_flight -= 1
        if not self._in_flight:
            self._all_answered.set()
        self._recorder.finished(exchange, outcome, now_s=now_s)

    def _report(self, *, interrupted: bool, cpu_used_s: float) -> LoadReport:
        now_s = self._clock.monotonic_s()
        counted_from_s = self._start_s + self._plan.warmup_s
        sending_s = self._plan.counted_s
        if interrupted:
            sending_s = max(0.0, min(sending_s, now_s - counted_from_s))
        sending_s = max(sending_s, self._last_sent_s - counted_from_s)
        total, targets, latency = self._recorder.totals()
        not_sent = total.kinds.get(Failure.NOT_SENT, 0)
        return LoadReport(
            asked_per_s=self._plan.rate_per_s,
            sent_per_s=(total.requests - not_sent) / sending_s if sending_s else 0.0,
            good_per_s=(total.requests - total.failed) / sending_s if sending_s else 0.0,
            arrivals=self._plan.arrivals,
            seed=self._plan.seed,
            duration_s=max(self._last_answer_s - counted_from_s, sending_s),
            sending_s=sending_s,
            unfinished=self._recorder.unfinished,
            interrupted=interrupted,
            total=total,
            targets=targets,
            generator=self._generator(cpu_used_s / max(now_s - self._start_s, 1e-6)),
            step_s=self._plan.step_s,
            timeline=self._recorder.timeline(),
            buckets=latency.buckets(),
            examples=dict(self._recorder.examples),
            notes=tuple(self._notes()),
            histogram=latency.encoded(),
        )

    def _generator(self, cpu_share: float) -> Generator:
        recorder = self._recorder
        return Generator(
            lag_mean_ms=recorder.lag_total_s / max(recorder.due, 1) * 1000,
            lag_p99_ms=recorder.lag.percentile_ms(99) or 0.0,
            lag_max_ms=recorder.lag_max_s * 1000,
            cpu_share=cpu_share,
            connections=sum(pool.opened for pool in self._pools.values()),
            stray=sum(pool.strays for pool in self._pools.values()),
            in_flight_peak=self._in_flight_peak,
        )

    def _notes(self) -> Iterator[str]:
        lag_max_ms = self._recorder.lag_max_s * 1000
        if lag_max_ms > LAG_TOLERATED_MS:
            yield f"the generator fell behind: max lag {lag_max_ms:.0f} ms, figures include it"
        if self._in_flight_max < self._plan.max_in_flight:
            yield (
                f"at most {self._in_flight_max} requests were in flight, "
                "since no more files may be open (ulimit -n)"
            )
        if self._recorder.unfinished:
            yield f"{self._recorder.unfinished} requests had not ended and are not counted"
        strays = sum(pool.strays for pool in self._pools.values())
        if strays:
            yield f"bytes that nobody had asked for came behind {strays} responses"


async def _stopped(stop: asyncio.Event) -> None:
    await stop.wait()


def cpu_s() -> float:
    """Return the processor seconds that this process has used."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def descriptors_usable() -> int:
    """Return how many connections this process may open, leaving some files to others."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return IN_FLIGHT_MAX
    return max(1, soft - DESCRIPTORS_RESERVED)
