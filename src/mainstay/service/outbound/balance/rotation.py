"""Taking turns: evenly, or by weight."""

from collections.abc import Sequence
from random import Random

from mainstay.service.outbound.balance.member import Member


class RoundRobin:
    """One after the other; weights and load count for nothing.

    Args:
        rng: Chooses who is first, so that a hundred clients that start at once don't all begin
            with the same endpoint.
    """

    def __init__(self, rng: Random) -> None:
        self._turn = rng.randrange(1 << 30)

    def pick(self, members: Sequence[Member], now_s: float, key: str | None) -> Member:
        """Return the next one."""
        del now_s, key
        self._turn += 1
        return members[self._turn % len(members)]


class Weighted:
    """Smooth weighted round robin, as nginx has it: 5, 1, 1 gives a a b a c a a.

    In any run of as many picks as the weights add up to, each member has exactly its weight,
    as long as the set stays the same; and the turns of a heavy one are spread, not bunched.
    """

    def pick(self, members: Sequence[Member], now_s: float, key: str | None) -> Member:
        """Return the one that has waited most for its weight."""
        del now_s, key
        total = 0
        best = members[0]
        for member in members:
            total += member.weight
            member.turn += member.weight
            if member.turn > best.turn:
                best = member
        best.turn -= total
        return best
