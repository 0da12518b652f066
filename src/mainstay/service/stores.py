"""The stores that a service's parts stand on. ``state`` makes them; this plane names only ports."""

from typing import Protocol

from mainstay.core.errors import ConfigInvalid
from mainstay.service.inbound.idempotency.records import Records
from mainstay.service.inbound.ratelimit.store import LimitStore
from mainstay.service.inbound.sessions.records import SessionRecords
from mainstay.service.outbound.breaker.shared import BreakerStore


class Stores(Protocol):
    """Makes stores for the URLs that a declaration names, and closes them.

    Nothing is connected to before it is used. Methods raise ConfigInvalid where there is no such
    store for a URL of that scheme, and PartMissing where the library for it is not installed.
    """

    def limits(self, url: str) -> LimitStore:
        """Return what counts requests for all replicas."""
        ...

    def records(self, url: str) -> Records:
        """Return what keeps the answers to idempotency keys."""
        ...

    def sessions(self, url: str) -> SessionRecords:
        """Return what keeps sessions."""
        ...

    def breakers(self, url: str) -> BreakerStore:
        """Return where circuits tell each other: the same at each call."""
        ...

    def close(self) -> None:
        """Close all that were made."""
        ...


class NoStores:
    """For a service that was made without any: each method refuses."""

    def limits(self, url: str) -> LimitStore:
        """Raise ConfigInvalid."""
        raise _missing(url)

    def records(self, url: str) -> Records:
        """Raise ConfigInvalid."""
        raise _missing(url)

    def sessions(self, url: str) -> SessionRecords:
        """Raise ConfigInvalid."""
        raise _missing(url)

    def breakers(self, url: str) -> BreakerStore:
        """Raise ConfigInvalid."""
        raise _missing(url)

    def close(self) -> None:
        """Do nothing."""


def _missing(url: str) -> ConfigInvalid:
    scheme = url.partition(":")[0]
    sentence = (
        f"a store of {scheme} is declared, and this service was made without stores: "
        "take mainstay.Service, or pass stores="
    )
    return ConfigInvalid((sentence,))
