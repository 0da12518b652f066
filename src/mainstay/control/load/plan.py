"""The plan of a load test: everything that decides what is sent, and when."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from typing import Literal

from mainstay.control.load.target import Target
from mainstay.core.errors import LoadRefused

RATE_PER_S_MAX = 100_000.0
DURATION_S_MAX = 24 * 3600.0
"""Longest load test; a soak test of a day is the longest that makes sense from one process."""
REQUESTS_MAX = 100_000_000
IN_FLIGHT_MAX = 60_000
"""More connections than this from one address to one port run out of port numbers."""
TARGETS_MAX = 200
"""Each target has histograms of its own, about 300 KiB of them."""
STEPS_MAX = 600
"""Points of a timeline; a longer test has longer steps."""

Arrivals = Literal["constant", "poisson"]


class PlanInvalid(LoadRefused):
    """A plan cannot be run; ``faults`` says everything that is wrong with it."""

    def __init__(self, faults: tuple[str, ...]) -> None:
        self.faults = faults
        super().__init__("; ".join(faults))


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPlan:
    """What is sent, and when. The same plan sends the same requests in the same order.

    Attributes:
        targets: 1 to 200 of them, mixed by weight.
        rate_per_s: Arrivals, whatever the answers do.
        duration_s: How long requests are sent, warm-up not included; None leaves it to
            ``requests``.
        requests: How many are sent, warm-up not included; None leaves it to ``duration_s``.
            With both, whatever ends first.
        warmup_s: Requests of this time before are sent and not counted.
        arrivals: ``constant`` gaps, or ``poisson``: the random ones of independent callers.
        seed: Of the mix and of Poisson gaps.
        timeout_s: From the moment a request was sent until its answer is complete.
        connect_timeout_s: To open a connection, TLS included.
        max_in_flight: A request that is due when so many are unanswered is not sent, and failed.
        response_bytes_max: A larger body is a failure; bodies are read and thrown away.
        allow_remote: Whether a target may be another machine.
    """

    targets: tuple[Target, ...]
    rate_per_s: float
    duration_s: float | None = None
    requests: int | None = None
    warmup_s: float = 0.0
    arrivals: Arrivals = "constant"
    seed: int = 0
    timeout_s: float = 10.0
    connect_timeout_s: float = 2.0
    max_in_flight: int = 4096
    response_bytes_max: int = 64 * 2**20
    allow_remote: bool = False

    @property
    def counted_s(self) -> float:
        """Seconds during which counted requests are due, on average if gaps are random."""
        return min(inf if self.duration_s is None else self.duration_s, self.requests_s)

    @property
    def requests_s(self) -> float:
        """Seconds that ``requests`` take at the rate; without it, infinite."""
        if self.requests is None or self.rate_per_s <= 0:
            return inf
        return self.requests / self.rate_per_s

    @property
    def step_s(self) -> float:
        """Seconds of one point of the timeline: a whole number, 1 unless the test is long."""
        return float(max(1, -(-self.counted_s // STEPS_MAX)))

    def check(self) -> None:
        """Raise PlanInvalid with everything that is wrong, or return."""
        faults = tuple(self._faults())
        if faults:
            raise PlanInvalid(faults)

    def _faults(self) -> Iterator[str]:
        bounds = (
            ("the rate", self.rate_per_s, 0.001, RATE_PER_S_MAX, " requests a second"),
            ("the duration", self.duration_s, 0.001, DURATION_S_MAX, " seconds"),
            ("the number of requests", self.requests, 1, REQUESTS_MAX, ""),
            ("the warm-up", self.warmup_s, 0, DURATION_S_MAX, " seconds"),
            ("the timeout", self.timeout_s, 0.001, 60.0, " seconds"),
            ("the connect timeout", self.connect_timeout_s, 0.001, 60.0, " seconds"),
            ("the requests in flight", self.max_in_flight, 1, IN_FLIGHT_MAX, ""),
            ("the largest response", self.response_bytes_max, 0, 2**40, " bytes"),
        )
        for what, value, minimum, maximum, unit in bounds:
            if value is not None and not minimum <= value <= maximum:
                yield f"{what} must be {minimum:,.15g} to {maximum:,.15g}{unit}"
        if self.duration_s is None and self.requests is None:
            yield "a duration or a number of requests is needed"
        elif self.duration_s is None and self.requests_s > DURATION_S_MAX:
            yield f"so many requests at this rate take longer than {DURATION_S_MAX:,.15g} seconds"
        if not 1 <= len(self.targets) <= TARGETS_MAX:
            yield f"1 to {TARGETS_MAX} targets are needed; one target may have many paths"
        for name, times in Counter(target.name for target in self.targets).items():
            if times > 1:
                yield f"{times} targets are called {name!r}"
        for target in self.targets:
            yield from (f"{target.name}: {fault}" for fault in target.faults())
