"""The report of a load test: what was asked, what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass

from mainstay.control.load.figures import Bucket, Figures

LAG_TOLERATED_MS = 20.0
"""A generator that sent later than this has fallen behind, and the report says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetReport:
    """What became of the requests of one target, or of all.

    Attributes:
        name: The target's.
        requests: How many were due.
        failed: How many of them failed, for whatever reason.
        kinds: Failures by ``Failure``.
        statuses: Complete responses by status, as text since JSON's keys are texts.
        latency: From when a request was due until its answer was complete: of the good requests,
            and of those that timed out, with the time they had waited. A failure that comes
            quickly never improves it. None if there was no such request.
        service: Of the same requests, from their first byte written; None likewise.
    """

    name: str
    requests: int
    failed: int
    kinds: Mapping[str, int]
    statuses: Mapping[str, int]
    latency: Figures | None
    service: Figures | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A part of the timeline; requests belong where they were due, not where they ended.

    Attributes:
        at_s: Start, in seconds after the warm-up.
        requests: How many were due.
        failed: How many of them failed.
        p99_ms: Latency, exact to two digits; None if nothing was answered.
    """

    at_s: float
    requests: int
    failed: int
    p99_ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Generator:
    """What the load generator itself did: how far its figures can be trusted.

    Attributes:
        lag_mean_ms: How much later than due requests were sent, on average.
        lag_p99_ms: The same of all but the worst hundredth.
        lag_max_ms: The same of the worst; latencies include it.
        cpu_share: Of one core; of the whole process, which may do other things as well.
        connections: How many were opened, warm-up included.
        stray: How often bytes came that nobody had asked for.
        in_flight_peak: Most requests that were unanswered at once.
    """

    lag_mean_ms: float
    lag_p99_ms: float
    lag_max_ms: float
    cpu_share: float
    connections: int
    stray: int
    in_flight_peak: int

    @property
    def fell_behind(self) -> bool:
        """Whether the generator could not keep its own pace."""
        return self.lag_max_ms > LAG_TOLERATED_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadReport:
    """The result of a load test.

    Attributes:
        asked_per_s: The rate that was asked for.
        sent_per_s: Requests really sent per second of ``sending_s``.
        good_per_s: Good answers per second of ``sending_s``: the achieved rate.
        arrivals: ``constant`` or ``poisson``.
        seed: Of the plan.
        duration_s: From the first counted request until the last answer.
        sending_s: The part of it in which requests were due or sent.
        unfinished: Requests that were neither answered nor failed when the test was interrupted;
            they are not among ``total.requests``.
        interrupted: Whether it was ended early.
        total: All targets together.
        targets: Each target, in the order of the plan.
        generator: The generator's own figures.
        step_s: Length of one step of the timeline.
        timeline: In order; steps in which nothing was due are left out.
        buckets: The latencies of ``total``, for drawing.
        examples: One sentence for each kind of failure.
        notes: Sentences that whoever reads the figures must know.
        histogram: The latencies of ``total`` in the HdrHistogram V2 format, base64.
    """

    asked_per_s: float
    sent_per_s: float
    good_per_s: float
    arrivals: str
    seed: int
    duration_s: float
    sending_s: float
    unfinished: int
    interrupted: bool
    total: TargetReport
    targets: tuple[TargetReport, ...]
    generator: Generator
    step_s: float
    timeline: tuple[Step, ...]
    buckets: tuple[Bucket, ...]
    examples: Mapping[str, str]
    notes: tuple[str, ...]
    histogram: str

    @property
    def requests(self) -> int:
        """How many counted requests were due and ended, one way or the other."""
        return self.total.requests

    @property
    def failed(self) -> int:
        """How many of them failed."""
        return self.total.failed

    @property
    def latency(self) -> Figures | None:
        """The latencies of all targets together."""
        return self.total.latency

    @property
    def failed_share(self) -> float:
        """Failed requests as a share of all, in [0, 1]; 0 of none."""
        return self.failed / self.requests if self.requests else 0.0
