"""What a way of choosing an endpoint must do."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from mainstay.service.outbound.balance.lease import Outcome
from mainstay.service.outbound.balance.member import Member


class Picker(Protocol):
    """Chooses one of the members that may be called. No clock, no lock: the balancer has both."""

    def pick(self, members: Sequence[Member], now_s: float, key: str | None) -> Member:
        """Return one of ``members``.

        Args:
            members: At least one; in the same order as long as their set is the same.
            now_s: Monotonic seconds.
            key: What the caller wants to reach the same endpoint for, or None.
        """
        ...


@runtime_checkable
class Learner(Protocol):
    """A picker that also learns from answers."""

    def learn(self, member: Member, outcome: Outcome, lasted_s: float, now_s: float) -> None:
        """Take in how a call to a member ended.

        Args:
            member: Which was called.
            outcome: How it ended.
            lasted_s: Seconds from the choice until then.
            now_s: Monotonic seconds.
        """
        ...
