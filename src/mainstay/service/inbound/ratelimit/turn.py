"""One request that is counted by a store, and by this process too. No waiting: ``Limits`` does."""

from mainstay.core.limits import Answers, Ask
from mainstay.service.inbound.exchange import Exchange
from mainstay.service.inbound.ratelimit.covering import Covering
from mainstay.service.inbound.ratelimit.memory import Memory, Take
from mainstay.service.inbound.ratelimit.standing import Standing, standings_of


class Turn:
    """Counts a request in memory first, and then where the store has answered or is away.

    A request that this process refuses never reaches the store; one that the store refuses is
    given back here. So it is counted by all limits or by none.

    Args:
        memory: Of this process.
        covering: The limits that cover the request.
        exchange: The request.
        now_s: Monotonic.

    Attributes:
        asks: What the store is to be asked; empty where nothing is.
        standings: What the limits said so far.
    """

    __slots__ = (
        "_dues_s", "_memory", "_own", "_shared", "_takes", "asks", "standings",
    )  # fmt: skip

    def __init__(
        self, memory: Memory, covering: Covering, exchange: Exchange, now_s: float
    ) -> None:
        self._memory = memory
        self._shared = covering.shared
        self._own: list[Take] = []
        self.asks: list[Ask] = []
        self.standings: list[Standing] = []
        if covering.own:
            self._own = [one.take(exchange) for one in covering.own]
            held = memory.take_all(self._own, now_s)
            self._dues_s = [now_s + one_s for one_s in held]
            self.standings = standings_of(covering.own, self._own, held)
            if min(held) < 0.0:
                return
        self._takes = [one.take(exchange) for one in self._shared]
        for policy, (_, key, cost) in zip(self._shared, self._takes, strict=True):
            self.asks.append(policy.ask(key, cost))

    def learn(self, answers: Answers, now_s: float) -> None:
        """Take what the store answered, and remember how full its buckets are.

        So nobody's quota begins anew in this process when the store goes away. Seconds until a
        bucket is empty mean the same for the whole limit and for this process's share of it.

        Args:
            answers: To ``asks``.
            now_s: Monotonic.
        """
        passes = True
        for (rule, key, _), answer in zip(self._takes, answers, strict=True):
            self._memory.learn(rule, key, answer.reset_after_s, now_s)
            passes = passes and answer.allowed
        self.standings += zip(self._shared, answers, strict=True)
        if not passes:
            self._give_back(now_s)

    def alone(self, now_s: float) -> None:
        """Count by this process's share, since the store is away; ``now_s`` is monotonic."""
        held = self._memory.take_all(self._takes, now_s)
        self.standings += standings_of(self._shared, self._takes, held)
        if min(held) < 0.0:
            self._give_back(now_s)

    def _give_back(self, now_s: float) -> None:
        if self._own:
            self._memory.give_back(self._own, self._dues_s, now_s)
