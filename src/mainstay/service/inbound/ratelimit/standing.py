"""What one limit said to a request, whoever counted it."""

from collections.abc import Sequence
from typing import NamedTuple

from mainstay.core.limits import Answer, answer_of
from mainstay.service.inbound.ratelimit.memory import Take
from mainstay.service.inbound.ratelimit.policy import Policy


class Standing(NamedTuple):
    """What one limit said to a request.

    Attributes:
        policy: The limit.
        answer: Whether the request may pass, and what is left.
    """

    policy: Policy
    answer: Answer


def standing_of(policy: Policy, cost: int, held_s: float) -> Standing:
    """Return what ``Memory`` said in one number; see ``Memory.take``."""
    rule = policy.rule
    allowed = held_s >= 0.0
    if not allowed:
        held_s = max(0.0, rule.full_s - rule.every_s * cost - held_s)
    return Standing(policy, answer_of(allowed, held_s, rule.every_s, rule.burst, cost))


def standings_of(
    policies: Sequence[Policy], takes: Sequence[Take], held_s: Sequence[float]
) -> list[Standing]:
    """Return what ``Memory`` said of several limits; see ``Memory.take_all``."""
    return [
        standing_of(policy, cost, one_s)
        for policy, (_, _, cost), one_s in zip(policies, takes, held_s, strict=True)
    ]


def least_left(standings: Sequence[Standing]) -> Standing | None:
    """Return the limit of which the fewest calls are left, of those that answers tell of."""
    shown = [one for one in standings if one.policy.advertised is not None]
    return min(shown, key=lambda one: one.answer.remaining) if shown else None


def longest_wait(standings: Sequence[Standing]) -> Standing | None:
    """Return the limit that keeps the request waiting the longest, or None where it passes."""
    late = [one for one in standings if not one.answer.allowed]
    return max(late, key=lambda one: one.answer.retry_after_s) if late else None
