"""How a check stands: one answer of many changes no mind. Decisions alone."""

from dataclasses import dataclass
from random import Random

RECHECK_S = 5.0
"""What counts as failed is asked at least this often: a dependency that is back ends an outage."""

_JITTER = 0.1
"""Intervals are up to a tenth shorter, so that replicas started together don't ask together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a check counts as, and what speaks against it.

    Attributes:
        failing: Whether it counts as failed.
        against: How many answers in a row say the opposite; below the threshold.
    """

    failing: bool
    against: int = 0


def stand(before: Standing | None, *, failed: bool, failures: int, successes: int) -> Standing:
    """Return how a check stands after one more answer.

    The first one is believed at once: a service that never reached its database is not ready.

    Args:
        before: How it stood; None before the first answer.
        failed: What the answer says.
        failures: So many in a row make it fail, at least 1.
        successes: So many in a row make it pass again, at least 1.
    """
    if before is None:
        return Standing(failing=failed)
    if before.failing is failed:
        return Standing(failing=failed)
    against = before.against + 1
    if against >= (failures if failed else successes):
        return Standing(failing=failed)
    return Standing(failing=before.failing, against=against)


def pause_s(interval_s: float, standing: Standing, rng: Random) -> float:
    """Return the seconds from an answer to the next question."""
    if standing.failing:
        interval_s = min(interval_s, RECHECK_S)
    return interval_s * (1 - _JITTER * rng.random())


def kept_s(interval_s: float, timeout_s: float) -> float:
    """Return how old an answer may be while checks run in the background.

    One whole round later than it should be, something is wrong with the background itself.
    """
    return 2 * interval_s + timeout_s
