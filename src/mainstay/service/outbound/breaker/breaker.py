"""The options of the circuit breaker. The state machine is in ``circuit``."""

from dataclasses import dataclass

from mainstay.service.outbound.breaker.window import CALLS_MAX
from mainstay.service.outbound.failure import Errors, Results, is_errors
from mainstay.service.outbound.quantity import Duration, Options
from mainstay.spec.kinds.units import ShareOfCalls


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """Stop calling a dependency that fails.

    Attributes:
        failures: Failures in a row that open the circuit. Starter pack: 5.
        rate: Share of failures that opens it, ``50% of 20 in 30s`` or ``50% of 20 in 100 calls``.
        slow: A call that takes longer is slow; needed for ``slow_rate``.
        slow_rate: Share of slow calls that opens it, written as ``rate``.
        open: How long it stays open before the first probe. Starter pack: 60 s.
        open_max: It stays open twice as long after each bad probe, up to this.
        successes: Good probes in a row that close it. Starter pack: 2.
        probes: How many probes may be on their way at once.
        lease: A probe that was not heard of for so long has lost its place to another.
        on: Errors that are failures: types or a predicate; None: see ``failure.is_failure``.
        ignore: Errors that are not, nevertheless.
        on_result: Tells whether a result is a failure.
        shadow: Count and report, but reject nothing.
    """

    failures: int = 5
    rate: str | ShareOfCalls | None = None
    slow: Duration | None = None
    slow_rate: str | ShareOfCalls | None = None
    open: Duration = 60.0
    open_max: Duration = 300.0
    successes: int = 2
    probes: int = 1
    lease: Duration = 60.0
    on: Errors | None = None
    ignore: Errors | None = None
    on_result: Results | None = None
    shadow: bool = False

    def __post_init__(self) -> None:
        options = Options("Breaker")
        options.whole("failures", self.failures, 1, 10_000)
        options.whole("successes", self.successes, 1, 1000)
        options.whole("probes", self.probes, 1, 1000)
        take = object.__setattr__
        take(self, "open", options.seconds("open", self.open))
        # A longer open time alone is no contradiction: it just does not grow.
        longest_s = options.seconds("open_max", self.open_max)
        take(self, "open_max", max(longest_s, float(self.open)))
        take(self, "lease", options.seconds("lease", self.lease))
        # As it was given: a wrong one is told as such, and not as missing too.
        if (self.slow is None) != (self.slow_rate is None):
            options.wrong("slow_rate", "slow and slow_rate, both or neither", self.slow_rate)
        if self.slow is not None:
            take(self, "slow", options.seconds("slow", self.slow))
        for name in ("rate", "slow_rate"):
            share = options.share_of_calls(name, getattr(self, name))
            if share is not None and (share.window_calls or 0) > CALLS_MAX:
                options.wrong(name, f"a window of at most {CALLS_MAX} calls", share)
            take(self, name, share)
        for name in ("on", "ignore"):
            if not is_errors(getattr(self, name)):
                options.wrong(name, "error types or a predicate", getattr(self, name))
        options.done()
