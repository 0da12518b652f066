"""Counts and times of a running load test. No clock, no I/O: it is told what happened."""

from collections import Counter
from dataclasses import dataclass

from mainstay.control.load.exchange import Exchange, Failure, Outcome
from mainstay.control.load.figures import Durations
from mainstay.control.load.plan import LoadPlan
from mainstay.control.load.report import Step, TargetReport

DETAIL_CHARS_MAX = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How a load test is doing, for live views.

    Attributes:
        elapsed_s: Since the first request, warm-up included.
        planned_s: What it will be when the last request is due, warm-up included.
        warming_up: Whether requests are not yet counted.
        requests: Counted requests that were due so far.
        failed: How many of them failed so far.
        in_flight: Unanswered requests.
        step: The last second (or longer step) that is over; None before the first.
    """

    elapsed_s: float
    planned_s: float
    warming_up: bool
    requests: int
    failed: int
    in_flight: int
    step: Step | None


class _Tally:
    """The figures of one target; histograms are made when first needed."""

    __slots__ = ("failed", "kinds", "latency", "requests", "service", "statuses")

    def __init__(self) -> None:
        self.requests = self.failed = 0
        self.kinds: Counter[str] = Counter()
        self.statuses: Counter[str] = Counter()
        self.latency: Durations | None = None
        self.service: Durations | None = None

    def record(self, latency_s: float, service_s: float) -> None:
        if self.latency is None or self.service is None:
            self.latency, self.service = Durations(), Durations()
        self.latency.record(latency_s)
        self.service.record(service_s)

    def add(self, other: "_Tally") -> None:
        self.requests += other.requests
        self.failed += other.failed
        self.kinds += other.kinds
        self.statuses += other.statuses
        if other.latency is None or other.service is None:
            return
        if self.latency is None or self.service is None:
            self.latency, self.service = Durations(), Durations()
        self.latency.add(other.latency)
        self.service.add(other.service)

    def report(self, name: str) -> TargetReport:
        return TargetReport(
            name=name,
            requests=self.requests,
            failed=self.failed,
            kinds=dict(self.kinds.most_common()),
            statuses=dict(sorted(self.statuses.items())),
            latency=self.latency.figures() if self.latency else None,
            service=self.service.figures() if self.service else None,
        )


class _OpenStep:
    """A step whose requests are not all answered; its histogram goes as soon as they are."""

    __slots__ = ("failed", "latency", "pending", "requests")

    def __init__(self) -> None:
        self.requests = self.failed = self.pending = 0
        self.latency = Durations(digits=2)

    def closed(self, at_s: float) -> Step:
        p99_ms = self.latency.percentile_ms(99)
        return Step(at_s=at_s, requests=self.requests, failed=self.failed, p99_ms=p99_ms)


class Recorder:
    """What happened so far.

    Args:
        plan: The plan that runs; requests of its warm-up are passed over.
    """

    def __init__(self, plan: LoadPlan) -> None:
        self._plan = plan
        self._tallies = [_Tally() for _ in plan.targets]
        self._open: dict[int, _OpenStep] = {}
        self._closed: dict[int, Step] = {}
        self._current = -1
        self.lag = Durations()
        self.lag_total_s = 0.0
        self.lag_max_s = 0.0
        self.examples: dict[str, str] = {}
        self.due = 0
        self.failed = 0
        self.unfinished = 0

    def sent(self, exchange: Exchange) -> None:
        """Count a request that is due; its outcome follows by ``finished``."""
        if not exchange.arrival.counted:
            return
        lag_s = exchange.sent_s - exchange.due_s
        self.lag.record(lag_s)
        self.lag_total_s += lag_s
        self.lag_max_s = max(self.lag_max_s, lag_s)
        self.due += 1
        self.unfinished += 1
        index = self._step_of(exchange)
        if index != self._current:
            left, self._current = self._current, index
            self._close_if_done(left)
        step = self._open.get(index)
        if step is None:
            step = self._open[index] = _OpenStep()
        step.pending += 1

    def finished(self, exchange: Exchange, outcome: Outcome, *, now_s: float) -> None:
        """Count an outcome at the monotonic time ``now_s``."""
        if not exchange.arrival.counted:
            return
        self.unfinished -= 1
        tally = self._tallies[exchange.arrival.target]
        tally.requests += 1
        index = self._step_of(exchange)
        step = self._open[index]
        step.pending -= 1
        step.requests += 1
        if outcome.status is not None:
            tally.statuses[str(outcome.status)] += 1
        failure = self._failure(exchange, outcome)
        if failure is not None:
            self.failed += 1
            tally.failed += 1
            tally.kinds[failure.value] += 1
            step.failed += 1
            if failure.value not in self.examples:
                sentence = outcome.detail or f"status {outcome.status}"
                self.examples[failure.value] = sentence[:DETAIL_CHARS_MAX]
        # A timeout has a latency, at least as long as it waited: leaving it out would flatter.
        if failure is None or failure is Failure.TIMEOUT:
            latency_s = now_s - exchange.due_s
            written_s = exchange.sent_s if exchange.written_s is None else exchange.written_s
            tally.record(latency_s, now_s - written_s)
            step.latency.record(latency_s)
        if index != self._current:
            self._close_if_done(index)

    def progress(self, *, elapsed_s: float, in_flight: int) -> Progress:
        """Return how it is going, ``elapsed_s`` after the first request was due."""
        # Steps close out of order when one waits for a timeout; the newest one is of interest.
        newest = max(self._closed, default=None)
        return Progress(
            elapsed_s=elapsed_s,
            planned_s=self._plan.warmup_s + self._plan.counted_s,
            warming_up=elapsed_s < self._plan.warmup_s,
            requests=self.due,
            failed=self.failed,
            in_flight=in_flight,
            step=None if newest is None else self._closed[newest],
        )

    def totals(self) -> tuple[TargetReport, tuple[TargetReport, ...], Durations]:
        """Return the report of all targets, that of each, and the latencies of all."""
        total = _Tally()
        for tally in self._tallies:
            total.add(tally)
        targets = tuple(
            tally.report(target.name)
            for target, tally in zip(self._plan.targets, self._tallies, strict=True)
        )
        return total.report("total"), targets, total.latency or Durations()

    def timeline(self) -> tuple[Step, ...]:
        """Return every step in which a request ended."""
        open_steps = {index: self._at(index, step) for index, step in self._open.items()}
        steps = {**self._closed, **open_steps}
        return tuple(steps[index] for index in sorted(steps) if steps[index].requests)

    def _failure(self, exchange: Exchange, outcome: Outcome) -> Failure | None:
        if outcome.failure is not None:
            return outcome.failure
        expected = self._plan.targets[exchange.arrival.target].expect
        return None if outcome.status in expected else Failure.STATUS

    def _step_of(self, exchange: Exchange) -> int:
        return int((exchange.arrival.offset_s - self._plan.warmup_s) // self._plan.step_s)

    def _close_if_done(self, index: int) -> None:
        step = self._open.get(index)
        if step is not None and not step.pending:
            self._closed[index] = self._at(index, self._open.pop(index))

    def _at(self, index: int, step: _OpenStep) -> Step:
        return step.closed(index * self._plan.step_s)
