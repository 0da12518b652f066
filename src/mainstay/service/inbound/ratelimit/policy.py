"""One declared limit, compiled: what it asks of a request, and how answers tell of it."""

import math
from collections.abc import Mapping

from mainstay.core.limits import Ask
from mainstay.service.inbound.exchange import Exchange
from mainstay.service.inbound.ratelimit.caller import (
    ByFunction,
    ByHeader,
    Caller,
    LimitKey,
    by_address,
    by_nobody,
)
from mainstay.service.inbound.ratelimit.memory import Rule, Take
from mainstay.service.inbound.routes import Routes
from mainstay.spec.kinds.units import Quota
from mainstay.spec.ratelimit import BY, LIMIT_NAME, NEAR, RateLimit
from mainstay.spec.routes import ROUTE

_HEADER = "header:"
_NEAR = 0.5
"""Of the burst: who has more left has no reason to slow down, and two headers cost more than the
counting does. Which answers have them, the draft leaves to the server."""


class Policy:
    """One limit of a service. Immutable, but for its buckets.

    Args:
        option: As declared.
        service: The service's name, which is part of the keys in a store.
        keys: Functions that tell the user and the tenant; may be filled later.
        secret: Goes into hashes of what callers sent.
        share: Of the limit that this process lets through while the store that counts for all is
            away; None: it has no store, and this process lets through the whole.
        buckets_max: Callers that are counted exactly in memory.

    Raises:
        ValueError: A value is one that the declaration would refuse.

    Attributes:
        name: Of the limit.
        by: What tells callers apart, as declared.
        rule: Its numbers and buckets in this process.
        shared: Whether a store counts it for all replicas.
        caller: Tells callers apart.
        cost: Of a request that has none of its own.
        always: Whether it is for every request, at the same cost.
        advertised: Its member of ``RateLimit-Policy``; None where answers don't tell of it.
        told_from_s: A request that passes is told of it where its bucket is empty in so many
            seconds or more; infinite where answers don't tell of it.
        state: Its ``RateLimit``, to be filled with calls that remain and seconds until it is reset.
    """

    __slots__ = (
        "_burst",
        "_costs",
        "_dearest",
        "_every_s",
        "_headers",
        "_methods",
        "_prefix",
        "_route_costs",
        "_routes",
        "advertised",
        "always",
        "by",
        "caller",
        "cost",
        "name",
        "rule",
        "shared",
        "state",
        "told_from_s",
    )

    def __init__(
        self,
        option: RateLimit,
        *,
        service: str,
        keys: Mapping[str, LimitKey],
        secret: bytes,
        share: float | None,
        buckets_max: int,
    ) -> None:
        for route in (*option.routes, *dict(option.costs)):
            ROUTE.read(route)
        self.name = str(LIMIT_NAME.read(option.name))
        self.by = str(BY.read(option.by))
        self._routes = Routes(option.routes) if option.routes else None
        self._methods = _methods(option.methods)
        self.caller = self._caller(keys, secret)
        self.cost = option.cost
        self._route_costs = Routes([route for route, _ in option.costs]) if option.costs else None
        self._costs = tuple(cost for _, cost in option.costs)
        self.always = not (option.routes or option.methods or option.costs)
        self._every_s = option.rate.per_s / option.rate.count
        self._burst = option.burst_calls
        self._dearest = dearest = max(option.cost, *self._costs, 1)
        if dearest > self._burst:
            raise ValueError(f"limit {self.name}: a request costs {dearest} of {self._burst}")
        self.shared = share is not None
        every_s, burst = self._shared_out(1.0 if share is None else share)
        self.rule = Rule(every_s=every_s, burst=burst, buckets_max=buckets_max)
        self._headers = option.headers
        self.told_from_s = self._told_from_s()
        self._prefix = f"{service}:{self.name}:"
        self.state = b'"%s";r=%%d;t=%%d' % self.name.encode()
        self.advertised = self._member(option.rate) if option.headers is not None else None

    def take_share(self, share: float) -> None:
        """Let through another share from now on. Buckets stay as full as they are.

        Args:
            share: As for the constructor.
        """
        every_s, burst = self._shared_out(share)
        self.rule.change(every_s=every_s, burst=burst)
        self.told_from_s = self._told_from_s()

    def _told_from_s(self) -> float:
        if self._headers != NEAR:
            return math.inf if self._headers is None else 0.0
        # The same for the share and for the whole, of which the store tells: so the lesser.
        full_s = min(self.rule.full_s, self._every_s * self._burst)
        # A sum that was rounded is still the half.
        return full_s * _NEAR - self.rule.slack_s

    def _shared_out(self, share: float) -> tuple[float, int]:
        """Return seconds between two calls, and calls at once, of a share of the limit."""
        # Half a call can't be made, nor may a share make what is dear impossible.
        return self._every_s / share, max(round(self._burst * share), self._dearest)

    def covers(self, exchange: Exchange) -> bool:
        """Return whether a request must pass this limit."""
        # Some servers hand on a method in lower case, and some apps take it.
        if self._methods is not None and exchange.method.upper() not in self._methods:
            return False
        return self._routes is None or self._routes.find(exchange.path) is not None

    def take(self, exchange: Exchange) -> Take:
        """Return what a request that it covers takes out of it."""
        cost = self.cost if self._route_costs is None else self._cost_of(exchange.path)
        return self.rule, self.caller(exchange), cost

    def ask(self, key: str, cost: int) -> Ask:
        """Return what is asked of a store that counts for all replicas."""
        return Ask(self._prefix + key, self._every_s, self._burst, cost)

    def _cost_of(self, path: str) -> int:
        index = None if self._route_costs is None else self._route_costs.find(path)
        return self.cost if index is None else self._costs[index]

    def _caller(self, keys: Mapping[str, LimitKey], secret: bytes) -> Caller:
        by = self.by
        if by == "client_ip":
            return by_address
        if by.startswith(_HEADER):
            return ByHeader(by[len(_HEADER) :].lower().encode(), secret)
        if by == "route":
            return self._by_route
        if by == "service":
            return by_nobody
        return ByFunction(by, keys, secret)

    def _by_route(self, exchange: Exchange) -> str:
        """Return the pattern that the path fits: as many callers as there are patterns."""
        if self._routes is None:
            return ""
        index = self._routes.find(exchange.path)
        return "" if index is None else self._routes.patterns[index]

    def _member(self, rate: Quota) -> bytes:
        """Return name, quota and window, as draft-ietf-httpapi-ratelimit-headers-10 has them.

        The window is the time in which a spent burst comes back, which is what the draft means by
        it, in whole seconds: rounded up, so that nobody is told a higher rate than there is. A
        burst that comes back sooner is told as the calls of one second.
        """
        count, per_s = rate.count, rate.per_s
        if per_s * self._burst < count:
            quota, window_s = count // per_s, 1
        else:
            quota, window_s = self._burst, -(-per_s * self._burst // count)
        return b'"%s";q=%d;w=%d' % (self.name.encode(), quota, window_s)


def _methods(declared: tuple[str, ...]) -> frozenset[str] | None:
    """Return the methods as a set; a HEAD does the work of a GET."""
    if not declared:
        return None
    return frozenset(declared) | ({"HEAD"} if "GET" in declared else set())
