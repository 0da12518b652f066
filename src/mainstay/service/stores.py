"""The stores that a service's parts stand on. ``state`` makes them; this plane names only ports."""

from typing import TYPE_CHECKING, Protocol

from mainstay.core.errors import ConfigInvalid

if TYPE_CHECKING:
    from mainstay.service.inbound.idempotency.records import Records
    from mainstay.service.inbound.ratelimit.store import LimitStore


class Stores(Protocol):
    """Makes stores for the URLs that a declaration names, and closes them.

    Each method returns the same store for the same URL, and connects to nothing yet. All raise
    ConfigInvalid where there is no such store for a URL of that scheme, and PartMissing where the
    library for it is not installed.
    """

    def limits(self, url: str) -> "LimitStore":
        """Return what counts requests for all replicas."""
        ...

    def records(self, url: str) -> "Records":
        """Return what keeps the answers to idempotency keys."""
        ...

    def close(self) -> None:
        """Close all that were made."""
        ...


class NoStores:
    """For a service that was made without any."""

    def limits(self, url: str) -> "LimitStore":
        """Refuse."""
        raise _missing(url)

    def records(self, url: str) -> "Records":
        """Refuse."""
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
