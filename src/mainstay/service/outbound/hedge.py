"""Hedging: a second attempt beside a slow first one. Options and the delay; no clock."""

import re
from dataclasses import dataclass

from mainstay.service.outbound.latency import Latency
from mainstay.service.outbound.quantity import Duration, Options

_PERCENTILE = re.compile(r"p([0-9]{1,2}(?:\.[0-9]{1,3})?)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hedge:
    """Start a second attempt when the first is slow; the first answer wins, the other is cancelled.

    Only for what may be done twice, and only in asynchronous code: a thread can't be cancelled.

    Attributes:
        after: Start it after this: seconds, ``100ms``, or ``p95``: when 95 % of recent attempts
            would have answered (Dean and Barroso, "The Tail at Scale", 2013).
        floor: Never earlier than this after the first, with a percentile.
    """

    after: Duration = "p95"
    floor: Duration = 0.001

    def __post_init__(self) -> None:
        options = Options("Hedge")
        take = object.__setattr__
        if percentile_of(self.after) is None:
            take(self, "after", options.seconds("after", self.after))
        take(self, "floor", options.seconds("floor", self.floor))
        options.done()


def percentile_of(after: Duration) -> float | None:
    """Return the share that ``p95`` names, or None for a fixed time."""
    match = _PERCENTILE.fullmatch(after) if isinstance(after, str) else None
    return None if match is None else float(match[1]) / 100.0


def delay_s(hedge: Hedge, latency: Latency | None) -> float | None:
    """Return the seconds after which a hedge begins; None: too few calls are known yet."""
    percentile = percentile_of(hedge.after)
    if percentile is None:
        return float(hedge.after)
    assert latency is not None, "a percentile needs a sketch"
    found_s = latency.percentile_s(percentile)
    return None if found_s is None else max(float(hedge.floor), found_s)
