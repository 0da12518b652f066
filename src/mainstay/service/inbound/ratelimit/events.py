"""What rate limits decide, for listeners."""

from dataclasses import dataclass

from mainstay.core.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitExceeded(Event):
    """A request was turned away. Who sent it is not told: it may be a key or a person.

    Attributes:
        service: The service's name.
        limit: The limit's name; of several that were exceeded, the one that takes longest.
        by: What tells callers apart, as declared.
        retry_after_s: Seconds after which the same request would pass.
    """

    service: str
    limit: str
    by: str
    retry_after_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitStoreLost(Event):
    """The store of the limits is away: this replica goes on with its share of each.

    Attributes:
        service: The service's name.
    """

    service: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitStoreBack(Event):
    """The store of the limits is there again, and counts for all replicas.

    Attributes:
        service: The service's name.
    """

    service: str
