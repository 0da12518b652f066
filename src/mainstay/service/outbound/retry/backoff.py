"""Pauses between attempts: exponential, with jitter. Pure."""

import math
from random import Random

JITTERS = ("full", "equal", "decorrelated", "none")

_EXPONENT_MAX = 64
"""2.0 ** 1024 overflows in a long outage; with this one the longest pause is long reached."""


def backoff_s(
    jitter: str, failures: int, *, base_s: float, max_s: float, last_s: float, rng: Random
) -> float:
    """Return the seconds to wait after so many failures, at most ``max_s``.

    full: uniform over [0, ceiling], the ceiling being ``base_s`` doubled at each failure after
    the first. equal: half the ceiling, and uniform over the other half. decorrelated: uniform over
    [base_s, 3 × the last pause]. none: the ceiling itself.
    Source: M. Brooker, "Exponential Backoff And Jitter", AWS, 2015.

    Args:
        jitter: One of JITTERS.
        failures: At least 1.
        base_s: The ceiling after the first failure.
        max_s: No pause is longer.
        last_s: The pause before; 0 where there was none.
        rng: Where chance comes from.
    """
    assert failures >= 1
    if jitter == "decorrelated":
        return min(max_s, rng.uniform(base_s, max(base_s, 3.0 * last_s)))
    ceiling_s = min(max_s, math.ldexp(base_s, min(failures - 1, _EXPONENT_MAX)))
    if jitter == "full":
        return rng.uniform(0.0, ceiling_s)
    if jitter == "equal":
        return rng.uniform(ceiling_s / 2.0, ceiling_s)
    return ceiling_s
