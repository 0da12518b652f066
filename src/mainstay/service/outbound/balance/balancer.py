"""The balancer: which endpoint the next call goes to, and what the end of a call means."""

import threading
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from random import Random

from mainstay.core.clock import Clock, SystemClock
from mainstay.core.errors import CallRejected
from mainstay.core.events import Listeners
from mainstay.service.outbound.balance.by_name import Way, picker_named
from mainstay.service.outbound.balance.ejection import Ejection, slow_start_share
from mainstay.service.outbound.balance.endpoint import Endpoint
from mainstay.service.outbound.balance.events import (
    EndpointEjected,
    EndpointReturned,
    EndpointsChanged,
)
from mainstay.service.outbound.balance.lease import FAILED, SUCCEEDED, Lease, Outcome
from mainstay.service.outbound.balance.member import Member
from mainstay.service.outbound.balance.picker import Learner, Picker
from mainstay.service.outbound.balance.roster import Change, Ejected, Roster
from mainstay.service.outbound.forked import follow_forks

_DEFAULT_EJECTION = Ejection()


class NoEndpoint(CallRejected):
    """Nobody is known who could be called: the set of endpoints is empty."""

    sentence = "no endpoint is known"


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointState:
    """What a balancer thinks of one endpoint at one moment.

    Attributes:
        endpoint: Which one.
        active: Calls in flight to it.
        calls: Calls for which it was chosen, since it came.
        streak: Its failures in a row.
        ejections: How often it was ejected, until it has served well for long.
        returns_in_s: Until its ejection ends; None means that it serves.
    """

    endpoint: Endpoint
    active: int
    calls: int
    streak: int
    ejections: int
    returns_in_s: float | None


class Balancer:
    """Shares calls among endpoints. Safe to share between threads, tasks and event loops.

    Its lock is held for the choice and for the settlement, never during a call.

    Args:
        endpoints: Whom to call, as values or as ``host:port``; may be empty until ``replace``.
        by: How one is chosen: a name, or a picker of your own, which gets no other lock.
        ejection: When an endpoint that fails is left out; None never does.
        name: Of the dependency, for events and errors.
        clock: Where time comes from; None takes the machine's.
        rng: Chance of the choice; None takes one that is seeded by the system.
        events: Told about ejections, returns and changes; None tells nobody.

    Attributes:
        name: As given.
        by: How one is chosen now.

    Raises:
        ValueError: An endpoint is malformed or there twice, or there is no such way to choose.
    """

    def __init__(
        self,
        endpoints: Iterable[Endpoint | str] = (),
        *,
        by: Way | Picker = "two_choices",
        ejection: Ejection | None = _DEFAULT_EJECTION,
        name: str = "balancer",
        clock: Clock | None = None,
        rng: Random | None = None,
        events: Listeners | None = None,
    ) -> None:
        self.name = name
        self._seeded = rng is not None
        self._rng = rng or Random()
        self._clock = clock or SystemClock()
        self._now_s = self._clock.monotonic_s
        self._events = events
        self._ejection = ejection
        self._choose_by(by)
        self._roster = Roster(ejection)
        self._lock = threading.Lock()
        follow_forks(self)
        self._roster.replace(_parsed(endpoints), self._now_s())

    def pick(self, *, exclude: Collection[Endpoint] = (), key: str | None = None) -> Lease:
        """Choose an endpoint and count a call to it, until the lease is settled.

        Args:
            exclude: Whom to avoid, such as those that a retry already tried. A wish: where
                nobody else is left, one of them is chosen after all.
            key: What should reach the same endpoint again; needed by ``rendezvous`` alone.

        Raises:
            NoEndpoint: There are none.
            ValueError: ``rendezvous`` got no key.
        """
        roster = self._roster
        returned: tuple[Endpoint, ...] = ()
        with self._lock:
            # Under the lock, so that moments come in the order of what happens at them.
            now_s = self._now_s()
            if now_s >= roster.return_at_s:
                returned = roster.return_due(now_s)
            members = roster.serving
            if exclude:
                members = tuple(m for m in members if m.endpoint not in exclude) or members
            if not members:
                raise NoEndpoint(self.name, None)
            member = self._picker.pick(members, now_s, key)
            if now_s < roster.slow_until_s and key is None:
                member = self._eased(member, members, now_s)
            member.active += 1
            member.calls += 1
            lease = Lease(self, member, now_s)
        if returned:
            self._tell_returned(returned)
        return lease

    def settle(self, lease: Lease, outcome: Outcome, latency_s: float | None) -> None:
        """Close a lease: what its methods call. Of several calls for one lease the first counts."""
        ejected: Ejected | None = None
        member = lease.member
        with self._lock:
            if lease.settled:
                return
            lease.settled = True
            # A child process forgot the calls that were in flight when it was forked off.
            if member.active:
                member.active -= 1
            # A late answer of somebody who was ejected since says nothing about today.
            if lease.generation == member.generation:
                ejected = self._judge(lease, outcome, latency_s)
        if ejected is not None:
            self._tell_ejected(ejected)

    def replace(self, endpoints: Iterable[Endpoint | str]) -> None:
        """Take a new set of endpoints. Those that stay keep their counts; so do returners.

        Raises:
            ValueError: One is malformed or there twice; the old set goes on.
        """
        wanted = _parsed(endpoints)
        with self._lock:
            change = self._roster.replace(wanted, self._now_s())
        self._tell_changed(change)

    def reconfigure(self, *, by: Way | Picker, ejection: Ejection | None) -> None:
        """Choose in another way, and eject by other rules, from now on; all counts stay.

        Raises:
            ValueError: There is no such way; the old one goes on.
        """
        with self._lock:
            if by != self.by:
                self._choose_by(by)
            self._ejection = ejection
            returned = self._roster.reconfigure(ejection, self._now_s())
        self._tell_returned(returned)

    def endpoints(self) -> tuple[EndpointState, ...]:
        """Return what is thought of each endpoint right now, in their order."""
        with self._lock:
            now_s = self._now_s()
            return tuple(_state(member, now_s) for member in self._roster.members.values())

    def renew_locks(self) -> None:
        """Take a new lock in a child process; see ``forked``."""
        self._lock = threading.Lock()

    def free_places(self) -> None:
        """Forget the calls of the parent's threads in a child process, and choose by own chance."""
        self._roster.forget_calls()
        if not self._seeded:
            self._rng.seed()

    def _choose_by(self, by: Way | Picker) -> None:
        self._picker = picker_named(by, self._rng) if isinstance(by, str) else by
        self._learner = self._picker if isinstance(self._picker, Learner) else None
        self.by = by

    def _judge(self, lease: Lease, outcome: Outcome, latency_s: float | None) -> Ejected | None:
        """Take in what the end of a call says about its endpoint."""
        now_s = self._now_s()
        if self._learner is not None:
            lasted_s = now_s - lease.begun_s if latency_s is None else latency_s
            self._learner.learn(lease.member, outcome, lasted_s, now_s)
        if outcome is FAILED:
            return self._roster.failed(lease.member, now_s)
        if outcome is SUCCEEDED:
            self._roster.succeeded(lease.member, now_s)
        return None

    def _eased(self, member: Member, members: tuple[Member, ...], now_s: float) -> Member:
        """Return ``member``, or another one where its slow start leaves this call to others."""
        assert self._ejection is not None, "slow start is part of ejection"
        if self._rng.random() < slow_start_share(self._ejection, member, now_s):
            return member
        others = tuple(other for other in members if other is not member)
        return self._picker.pick(others, now_s, None) if others else member

    # Listeners are called without the lock: they may be slow, or ask the balancer.

    def _tell_ejected(self, ejected: Ejected) -> None:
        if self._events is not None:
            self._events.emit(
                EndpointEjected(
                    at_s=self._clock.wall_s(),
                    dependency=self.name,
                    endpoint=str(ejected.endpoint),
                    reason=ejected.reason.value,
                    away_s=ejected.away_s,
                    nth=ejected.nth,
                )
            )

    def _tell_returned(self, returned: tuple[Endpoint, ...]) -> None:
        if self._events is not None:
            for endpoint in returned:
                self._events.emit(
                    EndpointReturned(
                        at_s=self._clock.wall_s(), dependency=self.name, endpoint=str(endpoint)
                    )
                )

    def _tell_changed(self, change: Change) -> None:
        if self._events is not None and (change.added or change.removed):
            self._events.emit(
                EndpointsChanged(
                    at_s=self._clock.wall_s(),
                    dependency=self.name,
                    added=tuple(str(endpoint) for endpoint in change.added),
                    removed=tuple(str(endpoint) for endpoint in change.removed),
                )
            )
        self._tell_returned(change.returned)


def _parsed(endpoints: Iterable[Endpoint | str]) -> list[Endpoint]:
    return [Endpoint.parse(one) if isinstance(one, str) else one for one in endpoints]


def _state(member: Member, now_s: float) -> EndpointState:
    until_s = member.ejected_until_s
    return EndpointState(
        endpoint=member.endpoint,
        active=member.active,
        calls=member.calls,
        streak=member.streak,
        ejections=member.ejections,
        returns_in_s=None if until_s is None else max(0.0, until_s - now_s),
    )
