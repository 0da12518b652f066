"""By key: the same key reaches the same endpoint, from every client, without any state."""

import math
from collections.abc import Sequence
from hashlib import blake2b

from mainstay.service.outbound.balance.member import Member

_MASK = (1 << 64) - 1
_SCALE = 2.0**-64


class Rendezvous:
    """Highest random weight: each member draws a number from the key, and the best draw wins.

    When a member leaves, only its own keys move, to the others in equal parts; when one comes, it
    takes its share from all of them. Weights are kept exactly on average. Costs one short hash
    and, for each member, a few operations.
    Source: D. Thaler, C. Ravishankar, "Using Name-Based Mappings to Increase Hit Rates", 1998;
    weights: J. Schindler, "Weighted Distributed Hash Tables", 2005.
    """

    def pick(self, members: Sequence[Member], now_s: float, key: str | None) -> Member:
        """Return the member for ``key``.

        Raises:
            ValueError: There is no key.
        """
        del now_s
        if key is None:
            raise ValueError("rendezvous needs a key: pick(key=...) says what belongs together")
        # surrogatepass: a key out of a request may hold anything that a str can.
        data = key.encode("utf-8", "surrogatepass")
        hashed = int.from_bytes(blake2b(data, digest_size=8).digest())
        return min(members, key=lambda member: draw(hashed, member.identity) * member.unit)


def draw(hashed: int, identity: int) -> float:
    """Return an exponentially distributed number that the two decide; the least one wins.

    The mixing is the finalizer of splitmix64 (G. Steele et al., 2014): each bit of the sum
    changes about half of the bits of the outcome.
    """
    mixed = (hashed ^ identity) & _MASK
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
    # Half a step up, since the logarithm of zero is none.
    return -math.log(((mixed ^ (mixed >> 31)) + 0.5) * _SCALE)
