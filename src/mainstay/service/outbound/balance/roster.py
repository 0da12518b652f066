"""Who can be called: the members, those of them that serve, and those that are ejected.

A state machine without clock, lock or listeners: the balancer has them.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from mainstay.service.outbound.balance.ejection import (
    Ejection,
    Reason,
    away_max,
    eject,
    reason_to_eject,
    reinstate,
)
from mainstay.service.outbound.balance.endpoint import Endpoint
from mainstay.service.outbound.balance.member import Member

ENDPOINTS_MAX = 1_024
"""Of one balancer, and as many again that left and may come back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a new set of endpoints changed.

    Attributes:
        added: Those that were not known.
        removed: Those that are no longer in it; they keep their record for a while.
        returned: Those that were ejected and had to come back, since too many would be away now.
    """

    added: tuple[Endpoint, ...]
    removed: tuple[Endpoint, ...]
    returned: tuple[Endpoint, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ejected:
    """One endpoint was ejected.

    Attributes:
        endpoint: Which.
        reason: Why: failures in a row, or too large a share of them.
        away_s: For so long, from now.
        nth: For the how many-th time, which decides for how long.
    """

    endpoint: Endpoint
    reason: Reason
    away_s: float
    nth: int


class Roster:
    """The members of one balancer.

    Args:
        ejection: When a member is ejected; None never ejects one.

    Attributes:
        members: All of them, in the order of the endpoints.
        serving: Those that may be called; at least one where there is any member.
        return_at_s: When the next ejection ends; infinity where nobody is ejected.
        slow_until_s: Until when some member may be in its slow start.
    """

    def __init__(self, ejection: Ejection | None) -> None:
        self.members: dict[Endpoint, Member] = {}
        self.serving: tuple[Member, ...] = ()
        self.return_at_s = math.inf
        self.slow_until_s = -math.inf
        self._ejection = ejection
        self._departed: dict[Endpoint, Member] = {}

    def replace(self, endpoints: Iterable[Endpoint], now_s: float) -> Change:
        """Take a new set of endpoints; those that stay keep their record, and so do returners.

        Raises:
            ValueError: There are too many, or one is in it twice. Nothing has changed then.
        """
        wanted = _checked(endpoints)
        before = self.members
        added = tuple(endpoint for endpoint in wanted if endpoint not in before)
        removed = tuple(endpoint for endpoint in before if endpoint not in wanted)
        self.members = {endpoint: self._member(endpoint, now_s) for endpoint in wanted}
        self._remember(before[endpoint] for endpoint in removed)
        if added and before:
            self._slow_start(now_s)
        returned = self._return_surplus(now_s)
        return Change(added=added, removed=removed, returned=returned)

    def reconfigure(self, ejection: Ejection | None, now_s: float) -> tuple[Endpoint, ...]:
        """Take other options of ejection, and return who is back in service because of them.

        Who is away stays for as long as it was to, unless fewer may be away now.
        """
        self._ejection = ejection
        return self._return_surplus(now_s)

    def return_due(self, now_s: float) -> tuple[Endpoint, ...]:
        """Put back into service whose time is over, and return them."""
        due = [
            member
            for member in self.members.values()
            if member.ejected_until_s is not None and member.ejected_until_s <= now_s
        ]
        return self._reinstate(due, now_s)

    def succeeded(self, member: Member, now_s: float) -> None:
        """Take in that a call to a member was answered."""
        ejection = self._ejection
        if ejection is None:
            return
        member.streak = 0
        if ejection.share is not None:
            member.share.record(0, now_s, ejection.window_s)

    def failed(self, member: Member, now_s: float) -> Ejected | None:
        """Take in that a call to a member failed; return its ejection where that follows."""
        ejection = self._ejection
        if ejection is None:
            return None
        member.streak += 1
        if ejection.share is not None:
            member.share.record(1, now_s, ejection.window_s)
        reason = reason_to_eject(ejection, member, now_s)
        if reason is None or not self._may_eject(ejection, member):
            return None
        away_s = eject(ejection, member, now_s)
        self._recount()
        return Ejected(endpoint=member.endpoint, reason=reason, away_s=away_s, nth=member.ejections)

    def forget_calls(self) -> None:
        """Take nobody for busy: in a child process, where the threads that call don't exist.

        One of them may have been in the middle of a change, which is made whole.
        """
        for member in (*self.members.values(), *self._departed.values()):
            member.active = 0
        self._recount()

    def _may_eject(self, ejection: Ejection, member: Member) -> bool:
        # One that has left the set in the meantime is nobody's outlier.
        if self.members.get(member.endpoint) is not member:
            return False
        away = len(self.members) - len(self.serving)
        return away < away_max(ejection, len(self.members))

    def _return_surplus(self, now_s: float) -> tuple[Endpoint, ...]:
        """Reinstate, soonest due first, whom a smaller set can no longer spare."""
        away = sorted(
            (member for member in self.members.values() if member.ejected_until_s is not None),
            key=lambda member: member.ejected_until_s or 0.0,
        )
        spared = 0 if self._ejection is None else away_max(self._ejection, len(self.members))
        return self._reinstate(away[: max(0, len(away) - spared)], now_s)

    def _reinstate(self, members: list[Member], now_s: float) -> tuple[Endpoint, ...]:
        for member in members:
            reinstate(member, now_s)
        if members:
            self._slow_start(now_s)
        self._recount()
        return tuple(member.endpoint for member in members)

    def _slow_start(self, now_s: float) -> None:
        if self._ejection is not None and self._ejection.slow_start_s:
            self.slow_until_s = now_s + self._ejection.slow_start_s

    def _recount(self) -> None:
        members = self.members.values()
        self.serving = tuple(member for member in members if member.ejected_until_s is None)
        self.return_at_s = min(
            (member.ejected_until_s for member in members if member.ejected_until_s is not None),
            default=math.inf,
        )

    def _member(self, endpoint: Endpoint, now_s: float) -> Member:
        member = self.members.get(endpoint) or self._departed.pop(endpoint, None)
        if member is None:
            # The first set of all is warm; who comes later starts slowly.
            since_s = now_s if self.members else -math.inf
            return Member(endpoint, serving_since_s=since_s)
        member.take(endpoint)
        return member

    def _remember(self, members: Iterable[Member]) -> None:
        # A name server that answers with a different part of a large set each time must not
        # launder the record of an endpoint that fails.
        for member in members:
            self._departed[member.endpoint] = member
        for endpoint in list(self._departed)[: max(0, len(self._departed) - ENDPOINTS_MAX)]:
            del self._departed[endpoint]


def _checked(endpoints: Iterable[Endpoint]) -> dict[Endpoint, Endpoint]:
    wanted: dict[Endpoint, Endpoint] = {}
    for endpoint in endpoints:
        if endpoint in wanted:
            raise ValueError(f"endpoint {endpoint} is there twice: give it a weight")
        if len(wanted) == ENDPOINTS_MAX:
            raise ValueError(f"more than {ENDPOINTS_MAX} endpoints")
        wanted[endpoint] = endpoint
    return wanted
