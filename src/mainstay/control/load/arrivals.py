"""When each request is due and which target it asks: pure, and the same for the same seed."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import inf
from random import Random

from mainstay.control.load.plan import LoadPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One request that is due.

    Attributes:
        offset_s: Seconds after the start, warm-up included.
        counted: False during the warm-up.
        target: Index into the plan's targets.
        turn: How many requests of this target came before: picks its path and its body.
    """

    offset_s: float
    counted: bool
    target: int
    turn: int


def arrivals(plan: LoadPlan) -> Iterator[Arrival]:
    """Yield every arrival of a plan in the order they are due."""
    # Two generators, so that Poisson gaps do not change which requests are sent.
    choices = mix([target.weight for target in plan.targets], Random(f"mix {plan.seed}"))
    turns = [0] * len(plan.targets)
    counted_left = plan.requests
    end_s = inf if plan.duration_s is None else plan.warmup_s + plan.duration_s
    for offset_s in offsets(plan, Random(f"gaps {plan.seed}")):
        counted = offset_s >= plan.warmup_s
        if counted_left == 0 or offset_s >= end_s:
            return
        if counted and counted_left is not None:
            counted_left -= 1
        chosen = next(choices)
        yield Arrival(offset_s=offset_s, counted=counted, target=chosen, turn=turns[chosen])
        turns[chosen] += 1


def offsets(plan: LoadPlan, rng: Random) -> Iterator[float]:
    """Yield, without end, the seconds after the start at which requests are due."""
    n, at_s = 0, 0.0
    while True:
        # n / rate and not a running sum: after a million requests a sum has drifted.
        at_s = n / plan.rate_per_s if plan.arrivals == "constant" else at_s
        yield at_s
        n += 1
        if plan.arrivals == "poisson":
            at_s += rng.expovariate(plan.rate_per_s)


def mix(weights: Sequence[float], rng: Random) -> Iterator[int]:
    """Yield, without end, indices of ``weights``, each as often as its weight says."""
    bounds = list(accumulate(weights))
    while True:
        # min: the product may round up to the last bound itself.
        yield min(bisect_right(bounds, rng.random() * bounds[-1]), len(bounds) - 1)
