"""What limits said to a request, whoever counted it."""

from collections.abc import Iterable, Sequence

from mainstay.core.limits import Answer, answer_of
from mainstay.service.inbound.ratelimit.memory import Take
from mainstay.service.inbound.ratelimit.policy import Policy

Standing = tuple[Policy, Answer]
"""One limit, and whether it lets the request pass and what is left of it."""


def standing_of(policy: Policy, cost: int, held_s: float) -> Standing:
    """Return what ``Memory`` said in one number; see ``Memory.take``."""
    rule = policy.rule
    allowed = held_s >= 0.0
    if not allowed:
        held_s = max(0.0, rule.full_s - rule.every_s * cost - held_s)
    return policy, answer_of(allowed, held_s, rule.every_s, rule.burst, cost)


def standings_of(
    policies: Sequence[Policy], takes: Sequence[Take], held_s: Sequence[float]
) -> list[Standing]:
    """Return what ``Memory`` said of several limits; see ``Memory.take_all``."""
    return [
        standing_of(policy, cost, one_s)
        for policy, (_, _, cost), one_s in zip(policies, takes, held_s, strict=True)
    ]


def decisive(standings: Iterable[Standing]) -> tuple[Standing | None, Standing | None]:
    """Return what an answer tells of.

    Returns:
        The limit that keeps the request waiting the longest, or None where it passes; and of those
        that are to be told of and that let it pass, the one of which the fewest calls are left.
    """
    late: Standing | None = None
    least: Standing | None = None
    for standing in standings:
        policy, answer = standing
        if not answer.allowed:
            if late is None or answer.retry_after_s > late[1].retry_after_s:
                late = standing
        elif answer.reset_after_s >= policy.told_from_s and (
            least is None or answer.remaining < least[1].remaining
        ):
            least = standing
    return late, least
