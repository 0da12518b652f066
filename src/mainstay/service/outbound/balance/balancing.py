"""The balancer of a declared dependency, and what a new declaration changes about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from mainstay.core.clock import Clock
from mainstay.core.events import Listeners
from mainstay.service.address import address_of, base_url
from mainstay.service.outbound.balance.answer import Pace
from mainstay.service.outbound.balance.by_name import Way
from mainstay.service.outbound.balance.declared import endpoint_of, is_address
from mainstay.service.outbound.balance.dns import DnsEndpoints
from mainstay.service.outbound.balance.ejection import Ejection
from mainstay.service.outbound.balance.endpoint import Endpoint
from mainstay.service.outbound.balance.on_demand import OnDemandBalancer
from mainstay.spec.balance import CallBalance
from mainstay.spec.declaration import Declaration

_RETRY_S = 1.0
"""After a look-up that failed; see ``Pace``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Balancing:
    """What is declared about the balancing of a dependency.

    Attributes:
        way: How an endpoint is chosen.
        ejection: When one that fails is left out; None never does.
        endpoints: Whom to call; where there is a name, until its first answer.
        name: What DNS is asked about: a host and its port; None: nothing.
        refresh_s: How long an answer is used.
    """

    way: Way
    ejection: Ejection | None
    endpoints: tuple[Endpoint, ...]
    name: Endpoint | None
    refresh_s: float


def declared_balancing(
    name: str, declaration: Declaration, environ: Mapping[str, str]
) -> Balancing | None:
    """Return how the calls to a dependency are balanced, or None: they are not.

    Where the engine says where the dependency is, its word goes before declared endpoints: so a
    test, or another place, can point it elsewhere.

    Args:
        name: As declared.
        declaration: Of the calling service.
        environ: Where the engine says ``MAINSTAY_URL_<NAME>``.

    Raises:
        AddressUnknown: Nobody said where it is, or the URL names no host.
    """
    dependency = dict(declaration.dependencies)[name]
    balance = dependency.balance
    if balance is None:
        return None
    told = address_of(name, dependency, environ) != dependency.url
    if balance.endpoints and not told:
        endpoints, of_name = tuple(map(Endpoint.parse, balance.endpoints)), None
    else:
        one = endpoint_of(name, base_url(name, declaration, environ))
        endpoints, of_name = (one,), None if is_address(one.host) else one
    return Balancing(
        way=cast("Way", balance.policy),  # The same words; a test holds them.
        ejection=_ejection(balance),
        endpoints=endpoints,
        name=of_name,
        refresh_s=balance.refresh_s,
    )


def declared_balancer(
    name: str, balancing: Balancing, *, clock: Clock, events: Listeners
) -> OnDemandBalancer:
    """Return the balancer of a dependency.

    Args:
        name: The dependency's, for events and errors.
        balancing: As declared.
        clock: Where time comes from.
        events: Told about endpoints that are ejected, return or change.
    """
    made = OnDemandBalancer(
        balancing.endpoints,
        by=balancing.way,
        ejection=balancing.ejection,
        name=name,
        clock=clock,
        events=events,
    )
    made.follow(_source(balancing, clock, events))
    return made


def rebalance(
    balancer: OnDemandBalancer,
    old: Balancing,
    new: Balancing,
    *,
    clock: Clock,
    events: Listeners,
) -> None:
    """Let a balancer do what a new declaration says; endpoints that stay keep their records."""
    balancer.reconfigure(by=new.way, ejection=new.ejection)
    if (new.endpoints, new.name, new.refresh_s) != (old.endpoints, old.name, old.refresh_s):
        balancer.follow(_source(new, clock, events))
        balancer.replace(new.endpoints)


def _source(balancing: Balancing, clock: Clock, events: Listeners) -> DnsEndpoints | None:
    name = balancing.name
    if name is None:
        return None
    pace = Pace(ttl_s=balancing.refresh_s, retry_s=min(_RETRY_S, balancing.refresh_s))
    return DnsEndpoints(name.host, name.port, pace=pace, clock=clock, events=events)


def _ejection(balance: CallBalance) -> Ejection | None:
    slow_start_s, declared = balance.slow_start_s or 0.0, balance.eject
    if declared is None:
        if not slow_start_s:
            return None
        # Slow start is part of it; nobody can be away.
        return Ejection(share=None, share_max=0.0, slow_start_s=slow_start_s)
    rate = declared.rate
    return Ejection(
        failures=declared.failures,
        share=None if rate is None else rate.share,
        calls_min=1 if rate is None else rate.calls_min,
        window_s=30.0 if rate is None or rate.window_s is None else rate.window_s,
        time_s=declared.time_s,
        # A longer first one alone is no contradiction: it just does not grow.
        time_max_s=max(declared.time_s, declared.time_max_s),
        share_max=declared.share_max,
        slow_start_s=slow_start_s,
    )
