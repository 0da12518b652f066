"""Which limits cover a request, and what is the same for all requests that they cover."""

from mainstay.service.inbound.exchange import Exchange
from mainstay.service.inbound.ratelimit.policy import Policy

Header = tuple[bytes, bytes]

POLICIES = b"ratelimit-policy"
_KNOWN_MAX = 256
"""Sets of limits that are remembered; a service has as many as kinds of routes."""


class Covering:
    """The limits that cover one kind of request. Immutable.

    Args:
        policies: The limits, as declared.

    Attributes:
        policies: As given.
        own: Those that this process counts.
        shared: Those that a store counts for all replicas.
        header: ``RateLimit-Policy``; None where answers tell of none of them.
    """

    __slots__ = ("header", "own", "policies", "shared")

    def __init__(self, policies: tuple[Policy, ...]) -> None:
        self.policies = policies
        self.own = tuple(one for one in policies if not one.shared)
        self.shared = tuple(one for one in policies if one.shared)
        told = [one.advertised for one in policies if one.advertised is not None]
        self.header: Header | None = (POLICIES, b", ".join(told)) if told else None


class Coverings:
    """Finds the limits that cover a request. Shared by tasks and threads.

    Args:
        policies: All limits of the service.

    Attributes:
        all: What covers every request; None where that depends on the request.
    """

    __slots__ = ("_known", "_policies", "all")

    def __init__(self, policies: tuple[Policy, ...]) -> None:
        self._policies = policies
        self._known: dict[tuple[Policy, ...], Covering] = {}
        self.all = Covering(policies) if all(one.always for one in policies) else None

    def of(self, exchange: Exchange) -> Covering:
        """Return the limits that cover a request."""
        if self.all is not None:
            return self.all
        policies = tuple([one for one in self._policies if one.always or one.covers(exchange)])
        covering = self._known.get(policies)
        if covering is None:
            covering = Covering(policies)
            if len(self._known) < _KNOWN_MAX:
                self._known[policies] = covering
        return covering
