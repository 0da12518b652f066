"""The rate limits of a service: what the shells ask for each request."""

import math
import secrets
from collections.abc import Callable, Mapping

from mainstay.core.clock import Clock
from mainstay.core.errors import StoreUnavailable
from mainstay.core.events import Listeners
from mainstay.core.limits import SLACK_CALLS
from mainstay.service.inbound.exchange import Exchange
from mainstay.service.inbound.problems.refusal import Refusal
from mainstay.service.inbound.ratelimit.answer import STATE, note, refusal_after, wait_s
from mainstay.service.inbound.ratelimit.caller import FUNCTIONS, LimitKey
from mainstay.service.inbound.ratelimit.covering import Covering, Coverings
from mainstay.service.inbound.ratelimit.events import LimitExceeded
from mainstay.service.inbound.ratelimit.memory import BUCKETS_MAX, Memory
from mainstay.service.inbound.ratelimit.policy import Policy
from mainstay.service.inbound.ratelimit.share import whole
from mainstay.service.inbound.ratelimit.standing import (
    Standing,
    decisive,
    standing_of,
    standings_of,
)
from mainstay.service.inbound.ratelimit.store import LimitStore, StorePresence
from mainstay.service.inbound.ratelimit.turn import Turn
from mainstay.spec.ratelimit import RateLimit

LOOK_S = 1.0
"""So often, while the store is away, it is asked how many replicas share a limit: reading a file
of a few bytes takes 15 µs."""


class Limits:
    """Whether a request may pass. Shared by tasks, threads and loops.

    A request passes all limits that cover it, and is then counted by all of them; or it is turned
    away, and counted by none.

    Args:
        options: The limits, as declared.
        clock: Times what goes through a store.
        events: Told of requests that are turned away, and of a store that goes and comes.
        store: Counts for all replicas where a limit names one; None: each replica for itself.
        share: Tells how much of those limits this process lets through while the store is away:
            one divided by the number of replicas. Asked at the start, and then while it is.
        service: The service's name: of events, and a part of the keys in the store.
        keys: Functions that tell who ``user`` and ``tenant`` are; may be filled later.

    Attributes:
        waits: Whether a store is asked: then ``aask`` and ``ask_store``, otherwise ``ask``.
    """

    __slots__ = (
        "_clock",
        "_coverings",
        "_events",
        "_keys",
        "_lone",
        "_lone_header",
        "_look_s",
        "_memory",
        "_now_s",
        "_policies",
        "_presence",
        "_service",
        "_share",
        "_share_now",
        "_store",
        "_take",
        "waits",
    )

    def __init__(
        self,
        options: tuple[RateLimit, ...],
        *,
        clock: Clock,
        events: Listeners,
        store: LimitStore | None,
        share: Callable[[], float] = whole,
        service: str,
        keys: Mapping[str, LimitKey] | None = None,
    ) -> None:
        self._clock = clock
        self._now_s = clock.monotonic_s
        self._events = events
        self._store = store
        self._service = service
        self._keys = {} if keys is None else keys
        self._memory = Memory()
        self._take = self._memory.take
        self._presence = StorePresence(service=service, clock=clock, events=events)
        self._share_now = share
        self._share = now = share()
        self._look_s = -math.inf
        secret = secrets.token_bytes(32)
        # All replicas must come to the same hash.
        common = service.encode()[:64]
        policies = tuple(
            Policy(
                option,
                service=service,
                keys=self._keys,
                secret=common if _is_shared(option, store) else secret,
                share=now if _is_shared(option, store) else None,
                buckets_max=max(1, BUCKETS_MAX // len(options)),
            )
            for option in options
        )
        self._coverings = Coverings(policies)
        self._policies = policies
        self.waits = any(one.shared for one in policies)
        everywhere = self._coverings.all
        self._lone = None
        if everywhere is not None and len(everywhere.policies) == 1:
            self._lone = everywhere.policies[0]
            self._lone_header = everywhere.header

    def ask(self, exchange: Exchange, now_s: float) -> Refusal | None:
        """Count a request in the memory of this process; never waits.

        Args:
            exchange: The request; headers are noted on it.
            now_s: Monotonic.

        Returns:
            Why it may not pass, or None.
        """
        lone = self._lone
        if lone is None:
            return self._ask_memory(exchange, self._coverings.of(exchange), now_s)
        # One limit for every request, as most services have it, written out.
        rule = lone.rule
        # Not called as methods, which they aren't: CPython is quicker so.
        take, caller = self._take, lone.caller
        held_s = take(rule, caller(exchange), lone.cost, now_s)
        if held_s < 0.0:
            standing = standing_of(lone, lone.cost, held_s)
            return self._conclude(exchange, self._coverings.of(exchange), [standing])
        if held_s >= lone.told_from_s:
            remaining = int((rule.full_s - held_s) / rule.every_s + SLACK_CALLS)
            state = (STATE, lone.state % (remaining, math.ceil(held_s)))
            assert self._lone_header is not None, "it is told of"
            if exchange.noted is None:
                exchange.noted = [self._lone_header, state]
            else:
                exchange.noted += (self._lone_header, state)
        return None

    async def aask(self, exchange: Exchange) -> Refusal | None:
        """Count a request, where a store is asked; waits at most as long as the store may.

        Args:
            exchange: The request; headers are noted on it.

        Returns:
            Why it may not pass, or None.
        """
        covering = self._coverings.of(exchange)
        store = self._store
        if store is None or not covering.shared:
            return self._ask_memory(exchange, covering, self._now_s())
        turn = Turn(self._memory, covering, exchange, self._now_s())
        if turn.asks:
            try:
                answers = await store.atake(turn.asks)
            except StoreUnavailable:
                self._alone(turn, self._now_s())
            else:
                now_s = self._now_s()
                if self._presence.away:
                    self._presence.found(now_s)
                turn.learn(answers, now_s)
        return self._conclude(exchange, covering, turn.standings)

    def ask_store(self, exchange: Exchange) -> Refusal | None:
        """Do as ``aask``, in the caller's thread."""
        covering = self._coverings.of(exchange)
        store = self._store
        if store is None or not covering.shared:
            return self._ask_memory(exchange, covering, self._now_s())
        turn = Turn(self._memory, covering, exchange, self._now_s())
        if turn.asks:
            try:
                answers = store.take(turn.asks)
            except StoreUnavailable:
                self._alone(turn, self._now_s())
            else:
                now_s = self._now_s()
                if self._presence.away:
                    self._presence.found(now_s)
                turn.learn(answers, now_s)
        return self._conclude(exchange, covering, turn.standings)

    def _alone(self, turn: Turn, now_s: float) -> None:
        """Count without the store, by this process's share of the limits."""
        self._presence.lost(now_s)
        if now_s >= self._look_s:
            self._look_s = now_s + LOOK_S
            share = self._share_now()
            if share != self._share:
                self._share = share
                for policy in self._policies:
                    if policy.shared:
                        policy.take_share(share)
        turn.alone(now_s)

    def unregistered(self) -> tuple[tuple[str, str], ...]:
        """Return (limit, user or tenant) of those whom no function tells as yet."""
        return tuple(
            (one.name, one.by)
            for one in self._policies
            if one.by in FUNCTIONS and one.by not in self._keys
        )

    def _ask_memory(self, exchange: Exchange, covering: Covering, now_s: float) -> Refusal | None:
        policies = covering.policies
        if not policies:
            return None
        if len(policies) == 1:
            [policy] = policies
            rule, key, cost = policy.take(exchange)
            held_s = self._take(rule, key, cost, now_s)
            if held_s < 0.0:
                return self._conclude(exchange, covering, [standing_of(policy, cost, held_s)])
            if held_s >= policy.told_from_s:
                note(exchange, covering.header, policy, rule.remaining(held_s), held_s)
            return None
        takes = [one.take(exchange) for one in policies]
        held = self._memory.take_all(takes, now_s)
        if min(held) < 0.0:
            return self._conclude(exchange, covering, standings_of(policies, takes, held))
        # As `decisive`, without its objects: this is what nearly every request comes to.
        told, remaining, reset_s = None, 0, 0.0
        for policy, held_s in zip(policies, held, strict=True):
            if held_s >= policy.told_from_s:
                left = policy.rule.remaining(held_s)
                if told is None or left < remaining:
                    told, remaining, reset_s = policy, left, held_s
        if told is not None:
            note(exchange, covering.header, told, remaining, reset_s)
        return None

    def _conclude(
        self, exchange: Exchange, covering: Covering, standings: list[Standing]
    ) -> Refusal | None:
        late, least = decisive(standings)
        if late is None:
            if least is not None:
                policy, answer = least
                note(exchange, covering.header, policy, answer.remaining, answer.reset_after_s)
            return None
        policy, answer = late
        seconds = wait_s(answer.retry_after_s)
        note(exchange, covering.header, policy, answer.remaining, seconds)
        if self._events.listening:
            self._events.emit(
                LimitExceeded(
                    at_s=self._clock.wall_s(),
                    service=self._service,
                    limit=policy.name,
                    by=policy.by,
                    retry_after_s=answer.retry_after_s,
                )
            )
        return refusal_after(seconds)


def _is_shared(option: RateLimit, store: LimitStore | None) -> bool:
    return option.store is not None and store is not None
