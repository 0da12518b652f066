"""``service.dependency(name)``: the policy of a declared dependency, and where it is."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from mainstay.core.clock import Clock
from mainstay.core.errors import ConfigInvalid, PolicyMisused
from mainstay.core.events import Listeners
from mainstay.service.address import base_url
from mainstay.service.outbound.balance import OnDemandBalancer
from mainstay.service.outbound.balance.balancing import (
    Balancing,
    declared_balancer,
    declared_balancing,
    rebalance,
)
from mainstay.service.outbound.breaker.shared import Share
from mainstay.service.outbound.breaker.sharing import Sharing, declared_sharing, shared_state
from mainstay.service.outbound.declared import declared_parts
from mainstay.service.outbound.fallback import NOTHING, Fallback
from mainstay.service.outbound.plan import Parts, with_share
from mainstay.service.outbound.policy import Policy
from mainstay.service.stores import NoStores, Stores
from mainstay.spec.declaration import Declaration
from mainstay.spec.dependency import Dependency
from mainstay.spec.timeouts import ResolvedTimeouts, resolve_timeouts

if TYPE_CHECKING:
    from mainstay.service.outbound.adapters.http_clients.options import Http

F = TypeVar("F", bound=Callable[..., Any])


class DependencyPolicy(Policy):
    """The policy of one dependency, as it is declared.

    Args:
        name: As declared under ``dependencies``, or the name of the service that it is.
        declaration: Of the service that calls.
        environ: Where the engine says where the dependency is.
        clock: Where time comes from.
        events: Who hears what is decided.
        stores: Makes the store through which its breaker is shared; None: there are none.

    Attributes:
        declared: What the declaration says about it.

    Raises:
        ConfigInvalid: It is not declared, or there is no such store for its breaker.
        PartMissing: The library for that store is not installed.
    """

    __slots__ = (
        "_balanced",
        "_declaration",
        "_environ",
        "_share",
        "_sharing",
        "_stores",
        "declared",
    )

    def __init__(
        self,
        name: str,
        declaration: Declaration,
        environ: Mapping[str, str],
        *,
        clock: Clock,
        events: Listeners,
        stores: Stores | None = None,
    ) -> None:
        self._declaration = declaration
        self._environ = environ
        self._stores = NoStores() if stores is None else stores
        self._balanced: tuple[Balancing, OnDemandBalancer] | None = None
        name, self.declared = find_dependency(name, declaration)
        parts = declared_parts(self.declared, deadline_s=declaration.inbound.deadline_s)
        self._sharing = declared_sharing(name, declaration, environ)
        super().__init__(
            name=name,
            fallback=parts.fallback,
            deadline=parts.deadline,
            bulkhead=parts.bulkhead,
            rate_limit=parts.rate_limit,
            retry=parts.retry,
            breaker=parts.breaker,
            attempt_timeout=parts.attempt_timeout,
            hedge=parts.hedge,
            clock=clock,
            events=events,
            shared=None if self._sharing is None else shared_state(self._sharing, self._stores),
        )
        self._share = self.plan.share

    @property
    def url(self) -> str:
        """Where the dependency is, without a slash at its end.

        Raises:
            AddressUnknown: Nobody said.
        """
        return base_url(self.name, self._declaration, self._environ)

    @property
    def balancer(self) -> OnDemandBalancer | None:
        """Who chooses among the endpoints of HTTP clients; None where no `balance` is declared.

        One for all clients of the dependency.

        Raises:
            AddressUnknown: Nobody said where it is.
        """
        if self.declared.balance is None:
            return None
        with self._lock:
            if self._balanced is None:
                balancing = declared_balancing(self.name, self._declaration, self._environ)
                assert balancing is not None, "it is declared"
                clock, events = self.plan.clock, self.events
                made = declared_balancer(self.name, balancing, clock=clock, events=events)
                self._balanced = balancing, made
            return self._balanced[1]

    def guard(
        self, *, fallback: Callable[..., Any] | None = None, value: Any = NOTHING
    ) -> Callable[[F], F]:
        """Return a decorator that puts the policy around a function, sync or async.

        Args:
            fallback: Called with the same arguments when a call fails or is rejected.
            value: Answered then instead. Any: whatever the caller wants.
        """
        if fallback is None and value is NOTHING:
            return self
        declared = self.plan.fallback
        return self.with_fallback(
            Fallback(
                function=fallback,
                value=value,
                last_good=0 if declared is None else declared.last_good,
                age_max=300.0 if declared is None else declared.age_max,
            )
        )

    def take(self, declaration: Declaration) -> None:
        """Take a new declaration of the service, at once; see ``Policy.update``.

        Clients that exist keep their URL, their own timeouts and the statuses that they exclude,
        and follow the balancing, if they had one.

        Raises:
            ConfigInvalid: The dependency is not declared any more, or nobody says where the
                endpoints are, or there is no such store for its breaker; then nothing has changed.
            PartMissing: The library for that store is not installed; as above.
        """
        self.prepared(declaration)()

    def prepared(self, declaration: Declaration) -> Callable[[], None]:
        """Return what takes a new declaration, which changes nothing until it is called.

        So several dependencies take one declaration, or none of them does.

        Raises:
            ConfigInvalid: As ``take``.
            PartMissing: As ``take``.
        """
        _, declared = find_dependency(self.name, declaration)
        parts = declared_parts(declared, deadline_s=declaration.inbound.deadline_s)
        balancing = declared_balancing(self.name, declaration, self._environ)
        sharing = declared_sharing(self.name, declaration, self._environ)
        share = self._share_of(sharing)
        return partial(self._take, declaration, declared, parts, sharing, share, balancing)

    def as_it_is(self) -> Callable[[], None]:
        """Return what takes back a change that is made from now on."""
        balancing = None if self._balanced is None else self._balanced[0]
        return partial(
            self._take, self._declaration, self.declared, self.plan.parts, self._sharing,
            self._share, balancing,
        )  # fmt: skip

    def _take(  # noqa: PLR0917  All that a declaration decides, in its order.
        self,
        declaration: Declaration,
        declared: Dependency,
        parts: Parts,
        sharing: Sharing | None,
        share: Share | None,
        balancing: Balancing | None,
    ) -> None:
        self.update(parts)
        self._share_through(share)
        self._sharing, self._share = sharing, share
        self.declared = declared
        self._declaration = declaration
        if self._balanced is not None and balancing is not None:
            old, balancer = self._balanced
            rebalance(balancer, old, balancing, clock=self.plan.clock, events=self.events)
            self._balanced = balancing, balancer

    def _share_of(self, sharing: Sharing | None) -> Share | None:
        """Return through what the circuit is shared: as until now, where that stays the same."""
        if sharing is None:
            return None
        if sharing == self._sharing:
            return self._share
        return Share(shared_state(sharing, self._stores))

    def _share_through(self, share: Share | None) -> None:
        if self.plan.share is share:
            return
        with self._lock:
            self._adopt(with_share(self.plan, share))
        if share is not None and self.plan.circuit is not None:
            share.begin(self.plan.circuit)

    def _http(self) -> "Http":
        """Return what HTTP clients need to know: where it is, and how long to wait for it."""
        from mainstay.service.outbound.adapters.http_clients.options import Http  # noqa: PLC0415

        timeouts = self._resolved()
        return Http(
            base_url=self.url,
            connect=timeouts.connect_s,
            read=timeouts.read_s,
            write=timeouts.write_s,
            excluded=self.declared.excluded,
            balancer=self.balancer,
        )

    def _url(self, what: str, *, schemes: frozenset[str], others: bool = False) -> str:
        url = self.url
        scheme = url.partition("://")[0].partition("+")[0]
        if (scheme in schemes) is others:
            # No more of the URL is shown: it may hold a password.
            raise PolicyMisused(f"{self.name} is at {scheme}://, where {what} can't go")
        return url

    def _timeouts(self) -> dict[str, float]:
        timeouts = self._resolved()
        return {
            "connect": timeouts.connect_s,
            "read": timeouts.read_s,
            "total": timeouts.total_s,
        }

    def _resolved(self) -> ResolvedTimeouts:
        return resolve_timeouts(self.declared, deadline_s=self._declaration.inbound.deadline_s)


def find_dependency(name: str, declaration: Declaration) -> tuple[str, Dependency]:
    """Return the declared name of a dependency, and what is declared about it.

    Args:
        name: As declared, or the name of the service that it is.
        declaration: Of the service that calls.

    Raises:
        ConfigInvalid: There is none; the sentence says which there are.
    """
    for known, dependency in declaration.dependencies:
        if name in {known, dependency.service}:
            return known, dependency
    names = ", ".join(known for known, _ in declaration.dependencies) or "none"
    raise ConfigInvalid(
        (f"{declaration.service} declares no dependency {name!r} (it declares: {names})",)
    )
