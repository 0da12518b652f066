"""From a declaration to the parts of the wrapper: what is on, with what, for one service."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from mainstay.core.clock import Clock
from mainstay.core.events import Listeners
from mainstay.service.inbound.admission.admission import Admission
from mainstay.service.inbound.idempotency.idempotency import Idempotency
from mainstay.service.inbound.ratelimit.caller import LimitKey, told_by
from mainstay.service.inbound.ratelimit.limits import Limits
from mainstay.service.inbound.ratelimit.share import Share
from mainstay.service.inbound.sessions.own_key import own_key
from mainstay.service.inbound.sessions.sessions import Sessions
from mainstay.service.stores import Stores
from mainstay.spec.declaration import Declaration


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Makes the parts of one service that can be off; each is None then.

    Attributes:
        declaration: What the service declares.
        environ: Where the engine's words are found.
        clock: Where time comes from.
        events: Told by all parts.
        stores: Makes what parts stand on.
        url: Returns where a declared dependency is.
    """

    declaration: Declaration
    environ: Mapping[str, str]
    clock: Clock
    events: Listeners
    stores: Stores
    url: Callable[[str], str]

    def admission(self) -> Admission | None:
        """Return what bounds the requests that are worked on at once."""
        shed = self.declaration.inbound.shed
        return None if shed is None else Admission(shed, clock=self.clock, events=self.events)

    def limits(self, keys: Mapping[str, LimitKey]) -> Limits | None:
        """Return the rate limits.

        Args:
            keys: Functions that tell who a user or a tenant is; may be filled later.
        """
        declared = self.declaration.inbound.rate_limit
        if not declared:
            return None
        named = next((one.store for one in declared if one.store is not None), None)
        service = self.declaration.service
        replicas = self.declaration.run.replicas
        return Limits(
            declared,
            clock=self.clock,
            events=self.events,
            store=None if named is None else self.stores.limits(self.url(named)),
            share=Share(service=service, declared=replicas, environ=self.environ),
            service=service,
            keys=keys,
        )

    def sessions(self) -> Sessions | None:
        """Return what keeps sessions."""
        declared = self.declaration.inbound.session
        if declared is None:
            return None
        service = self.declaration.service
        if not declared.keys:
            declared = replace(declared, keys=(own_key(service, self.environ),))
        return Sessions(
            declared,
            records=self.stores.sessions(self.url(declared.store)),
            clock=self.clock,
            events=self.events,
            service=service,
        )

    def idempotency(
        self, keys: Mapping[str, LimitKey], sessions: Sessions | None
    ) -> Idempotency | None:
        """Return what does the work of a repeated request once.

        Args:
            keys: As in ``limits``; the user's own keys are apart from those of others.
            sessions: Of the service; each user's keys are apart, too.
        """
        declared = self.declaration.inbound.idempotency
        if declared is None:
            return None
        return Idempotency(
            declared,
            records=self.stores.records(self.url(declared.store)),
            clock=self.clock,
            events=self.events,
            service=self.declaration.service,
            principal=lambda exchange: told_by(keys["user"], exchange) if "user" in keys else None,
            session_of=None if sessions is None else sessions.group_in,
        )
