"""Records of idempotency keys: what is asked of a store, and what it answers. Values alone.

A record is free, held by one attempt, or done. It is held by a token, which the attempt draws
itself: what comes from any other attempt, however late, changes nothing. It is held for the time of
a lease; an attempt that let its lease end counts as crashed.

``service.inbound.idempotency`` asks; ``state.idempotency`` answers from Valkey and PostgreSQL. Both
planes know these values, and neither the other.
"""

from enum import Enum, auto
from typing import NamedTuple


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
