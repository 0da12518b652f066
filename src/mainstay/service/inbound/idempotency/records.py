"""Where the record of each key is kept: the port, and the values that pass it.

A record is free, held by one attempt, or done. It is held by a token, which the attempt draws
itself: what comes from any other attempt, however late, changes nothing. It is held for the time of
a lease; an attempt that let its lease end counts as crashed.

``mainstay.state.idempotency`` implements it in Valkey and in PostgreSQL, ``memory.py`` here. All
raise ``StoreUnavailable`` and nothing else, and answer in bounded time.
"""

from enum import Enum, auto
from typing import NamedTuple, Protocol


class State(Enum):
    """What a store says to who asks for a record."""

    OURS = auto()
    """It was free, and is held by the asking attempt now."""
    BUSY = auto()
    """Another attempt holds it."""
    CRASHED = auto()
    """Another attempt held it until its lease ended, and nobody knows what it did."""
    DONE = auto()
    """It has an answer."""


class Bid(NamedTuple):
    """An attempt that asks for a record.

    Attributes:
        token: Of the attempt, from 1 to 2**63 - 1; no two attempts have the same.
        fingerprint: Of the request, 16 bytes.
        lease_s: How long it is held without being renewed.
        ttl_s: After this the record is free again, whatever became of it.
        rerun: Whether it may be taken from an attempt that crashed, for the same fingerprint.
    """

    token: int
    fingerprint: bytes
    lease_s: float
    ttl_s: float
    rerun: bool


class Claim(NamedTuple):
    """What became of a bid.

    Attributes:
        state: See there.
        fingerprint: Of the request that the record is for; the bid's own where it is ours.
        answer: What was given to ``finish``; None where it is not done.
    """

    state: State
    fingerprint: bytes
    answer: bytes | None


class Records(Protocol):
    """A store of records. Safe to share between threads, tasks and loops."""

    def begin(self, record: str, bid: Bid) -> Claim:
        """Take a record, or say why not; atomic."""
        ...

    async def abegin(self, record: str, bid: Bid) -> Claim:
        """As ``begin``."""
        ...

    def finish(self, record: str, token: int, answer: bytes, ttl_s: float) -> bool:
        """Keep the answer, unless the record has one. False: the token does not hold it.

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
