"""By response time: peak EWMA, a moving average that believes bad news at once."""

import math
from collections.abc import Sequence
from random import Random

from mainstay.service.outbound.balance.lease import CANCELLED, FAILED, Outcome
from mainstay.service.outbound.balance.least_requests import two_of
from mainstay.service.outbound.balance.member import Member

DECAY_S = 10.0
"""How long a peak is remembered: after this, about a third of it is left. Finagle's default."""

FAILURE_S = 1.0
"""What a failure at least counts as: one that fails in a millisecond must not look fast."""

LATENCY_S_MAX = 3_600.0


class LeastResponseTime:
    """Of two members at random the one that would answer sooner: time × calls in flight, weighted.

    An answer slower than the average is taken as it is, a faster one moves it slowly. A member
    that is not called is slowly forgiven, so a slow one is tried again and again; one that never
    answered gets one call at a time.
    Source: peak EWMA of Twitter's Finagle; two choices as in ``TwoChoices``.

    Args:
        rng: Draws the two.
        decay_s: Time constant of the average.
        failure_s: What a failed call counts as at least.
    """

    def __init__(
        self, rng: Random, *, decay_s: float = DECAY_S, failure_s: float = FAILURE_S
    ) -> None:
        if not (0 < decay_s < math.inf and 0 < failure_s <= LATENCY_S_MAX):
            raise ValueError(f"decay_s {decay_s} and failure_s {failure_s} are positive seconds")
        self._random = rng.random
        self._decay_s = decay_s
        self._failure_s = failure_s

    def pick(self, members: Sequence[Member], now_s: float, key: str | None) -> Member:
        """Return the member that would probably answer first."""
        del key
        one, other = two_of(members, self._random())
        return other if self._score(other, now_s) < self._score(one, now_s) else one

    def learn(self, member: Member, outcome: Outcome, lasted_s: float, now_s: float) -> None:
        """Move the member's average.

        A call that was cancelled would have taken longer, so it counts only where it had already
        lasted longer than the average: nobody is to blame, but where slow calls are given up, for
        a hedge or a deadline, a slow member would else never be found out.
        """
        if outcome is CANCELLED and lasted_s <= member.cost_s:
            return
        least_s = self._failure_s if outcome is FAILED else 0.0
        # In this order, what is no number counts as the least.
        sample_s = min(max(least_s, lasted_s), LATENCY_S_MAX)
        observed_s = member.observed_s
        if observed_s is None or sample_s > member.cost_s:
            member.cost_s = sample_s
        else:
            kept = math.exp((observed_s - now_s) / self._decay_s)
            member.cost_s = member.cost_s * kept + sample_s * (1.0 - kept)
        member.observed_s = now_s

    def _score(self, member: Member, now_s: float) -> float:
        if member.observed_s is None:
            return math.inf if member.active else 0.0
        faded_s = member.cost_s * math.exp((member.observed_s - now_s) / self._decay_s)
        return faded_s * (member.active + 1) * member.unit
