"""One request that is counted by a store, and by this process too. No waiting: ``Limits`` does."""

from collections.abc import Sequence

from mainstay.core.limits import Answers
from mainstay.service.inbound.exchange import Exchange
from mainstay.service.inbound.ratelimit.memory import Memory
from mainstay.service.inbound.ratelimit.policy import Policy
from mainstay.service.inbound.ratelimit.standing import Standing, standings_of


class Turn:
    """Counts a request in memory first, and then where the store has answered or is away.

    A request that this process refuses never reaches the store; one that the store refuses is
    given back here. So it is counted by all limits or by none.

    Args:
        memory: Of this process.
        policies: The limits that cover the request.
        exchange: The request.
        now_s: Monotonic.

    Attributes:
        asks: What the store is to be asked; empty where nothing is.
        standings: What the limits said so far.
    """

    __slots__ = (
        "_dues_s", "_memory", "_own", "_shared", "_shared_takes", "asks", "standings",
    )  # fmt: skip

    def __init__(
        self, memory: Memory, policies: Sequence[Policy], exchange: Exchange, now_s: float
    ) -> None:
        self._memory = memory
        own = [one for one in policies if not one.shared]
        self._own = [one.take(exchange) for one in own]
        held = memory.take_all(self._own, now_s) if own else []
        self._dues_s = [now_s + one_s for one_s in held]
        self.standings: list[Standing] = standings_of(own, self._own, held)
        refused = bool(held) and min(held) < 0.0
        self._shared = () if refused else tuple(one for one in policies if one.shared)
        self._shared_takes = [one.take(exchange) for one in self._shared]
        self.asks = [
            policy.ask(key, cost)
            for policy, (_, key, cost) in zip(self._shared, self._shared_takes, strict=True)
        ]

    def learn(self, answers: Answers, now_s: float) -> None:
        """Take what the store answered, and remember how full its buckets are.

        So nobody's quota begins anew in this process when the store goes away. Seconds until a
        bucket is empty mean the same for the whole limit and for this process's share of it.

        Args:
            answers: To ``asks``.
            now_s: Monotonic.
        """
        for (rule, key, _), answer in zip(self._shared_takes, answers, strict=True):
            self._memory.learn(rule, key, answer.reset_after_s, now_s)
        self.standings += map(Standing, self._shared, answers)
        if not all(answer.allowed for answer in answers):
            self._give_back(now_s)

    def alone(self, now_s: float) -> None:
        """Count by this process's share, since the store is away; ``now_s`` is monotonic."""
        held = self._memory.take_all(self._shared_takes, now_s)
        self.standings += standings_of(self._shared, self._shared_takes, held)
        if min(held) < 0.0:
            self._give_back(now_s)

    def _give_back(self, now_s: float) -> None:
        if self._own:
            self._memory.give_back(self._own, self._dues_s, now_s)
