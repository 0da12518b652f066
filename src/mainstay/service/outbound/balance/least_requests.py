"""By calls in flight: the least loaded of all, or of two."""

from collections.abc import Sequence
from random import Random

from mainstay.service.outbound.balance.member import Member


class LeastRequests:
    """The member with the fewest calls in flight for its weight; equals take turns.

    Sees every member, so one pick costs as much as there are; and many clients that all see the
    same one idle all choose it. Past a dozen endpoints ``TwoChoices`` is the better one.

    Args:
        rng: Chooses where the turns begin.
    """

    def __init__(self, rng: Random) -> None:
        self._turn = rng.randrange(1 << 30)

    def pick(self, members: Sequence[Member], now_s: float, key: str | None) -> Member:
        """Return the least loaded one, the next in turn among equals."""
        del now_s, key
        count = len(members)
        self._turn += 1
        first = self._turn % count
        best = members[first]
        load = best.active * best.unit
        # Negative indexes go on behind the end, so this is one round from `first`.
        for index in range(first + 1 - count, first):
            if not load:
                break
            member = members[index]
            other = member.active * member.unit
            if other < load:
                best, load = member, other
        return best


class TwoChoices:
    """The less loaded of two members at random.

    Nearly as even as looking at all of them, at a cost that doesn't grow; and because each client
    draws for itself, they don't run after the same endpoint.
    Source: M. Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 1996.

    Args:
        rng: Draws the two.
    """

    def __init__(self, rng: Random) -> None:
        self._random = rng.random

    def pick(self, members: Sequence[Member], now_s: float, key: str | None) -> Member:
        """Return the less loaded of two different members, or the only one."""
        del now_s, key
        one, other = two_of(members, self._random())
        return other if other.active * other.unit < one.active * one.unit else one


def two_of(members: Sequence[Member], draw: float) -> tuple[Member, Member]:
    """Return two different members, every ordered pair being as likely; the only one twice.

    Args:
        members: At least one.
        draw: Uniform over [0, 1).
    """
    rest = len(members) - 1
    if not rest:
        return members[0], members[0]
    first, second = divmod(int(draw * (rest + 1) * rest), rest)
    # `second` counts the others only: step over the first.
    return members[first], members[second + (second >= first)]
