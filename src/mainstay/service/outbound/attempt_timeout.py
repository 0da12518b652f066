"""The bound of one attempt: fixed, or adapted to how long attempts take. Pure."""

from dataclasses import dataclass

from mainstay.core.alarm import Lane
from mainstay.core.clock import Clock
from mainstay.service.outbound.latency import Latency
from mainstay.service.outbound.quantity import Duration, Options

AUTO = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptTimeout:
    """One attempt may take so long.

    Attributes:
        within: Seconds, ``800ms``, or ``auto``: three times the 99th percentile of recent
            attempts (best practices, circuit breaker: 3 × p99).
        multiple: Of the 99th percentile, for ``auto``.
        floor: ``auto`` is never shorter: a fast dependency may still have a slow moment.
        ceiling: ``auto`` is never longer, and so long while too few attempts are known.
        least: With less time left than this no attempt begins, since it could not finish.
    """

    within: Duration = AUTO
    multiple: float = 3.0
    floor: Duration = 0.05
    ceiling: Duration = 30.0
    least: Duration = 0.0

    def __post_init__(self) -> None:
        options = Options("AttemptTimeout")
        take = object.__setattr__
        if self.within != AUTO:
            take(self, "within", options.seconds("within", self.within))
        options.number("multiple", self.multiple, 1.0, 100.0)
        take(self, "floor", options.seconds("floor", self.floor))
        take(self, "ceiling", options.seconds("ceiling", self.ceiling))
        take(self, "least", options.seconds("least", self.least, minimum=0.0))
        if float(self.floor) > float(self.ceiling):
            options.wrong("floor", "no more than the ceiling", self.floor)
        options.done()

    @property
    def auto(self) -> bool:
        """Whether it adapts to how long attempts take."""
        return self.within == AUTO


class Bound:
    """The bound as it is now. Calls read it; one that finishes may change it.

    Attributes:
        options: As given.
        timeout_s: What an attempt may take, in seconds.
        lane: Where alarms that ring after that are set.
        least_s: An attempt with less time left does not begin.
    """

    __slots__ = ("_clock", "lane", "least_s", "options", "timeout_s")

    def __init__(self, options: AttemptTimeout, clock: Clock) -> None:
        self.options = options
        self._clock = clock
        self.least_s = float(options.least)
        self._set(float(options.ceiling if options.within == AUTO else options.within))

    @property
    def auto(self) -> bool:
        """Whether it adapts."""
        return self.options.auto

    def adapt(self, latency: Latency) -> None:
        """Set the bound to what recent attempts say; does nothing where they are too few."""
        percentile_s = latency.percentile_s(0.99)
        if self.auto and percentile_s is not None:
            wanted_s = self.options.multiple * percentile_s
            options = self.options
            found_s = min(float(options.ceiling), max(float(options.floor), wanted_s))
            if found_s != self.timeout_s:
                self._set(found_s)

    def _set(self, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self.lane = Lane(timeout_s, self._clock)
