"""The port behind which the record of each key is kept; its values are in ``core.idempotency``.

``mainstay.state.idempotency`` implements it in Valkey and in PostgreSQL, ``memory.py`` here. All
raise ``StoreUnavailable`` and nothing else, and answer in bounded time.
"""

from typing import Protocol

from mainstay.core.idempotency import Bid, Claim


class Records(Protocol):
    """A store of records. Safe to share between threads, tasks and loops.

    Everywhere, ``record`` is the name of a record and ``token`` the number of one attempt at it;
    times are seconds from now, by the store's own clock.
    """

    def begin(self, record: str, bid: Bid) -> Claim:
        """Take a record, or say why not; atomic."""
        ...

    async def abegin(self, record: str, bid: Bid) -> Claim:
        """As ``begin``."""
        ...

    def finish(self, record: str, token: int, answer: bytes, ttl_s: float) -> bool:
        """Keep the answer for ``ttl_s``, unless the record has one. False: not held by ``token``.

        An empty answer says that the work was done; a later one may still say how.
        """
        ...

    async def afinish(self, record: str, token: int, answer: bytes, ttl_s: float) -> bool:
        """As ``finish``."""
        ...

    def release(self, record: str, token: int) -> bool:
        """Set it free. False: the token does not hold it, or it is done."""
        ...

    async def arelease(self, record: str, token: int) -> bool:
        """As ``release``."""
        ...

    def renew(self, record: str, token: int, lease_s: float) -> bool:
        """Hold it for ``lease_s`` from now; 0 ends the lease. False: as ``release``."""
        ...
