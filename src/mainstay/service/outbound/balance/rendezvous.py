"""By key: the same key reaches the same endpoint, from every client, without any state."""

import math
from collections.abc import Sequence
from hashlib import blake2b

from mainstay.service.outbound.balance.member import Member

_MULTIPLIER = 0x9E3779B97F4A7C15
"""2**64 divided by the golden ratio, made odd: its bits have no pattern."""

_MASK = (1 << 64) - 1
_SCALE = 2.0**-64


class Rendezvous:
    """Highest random weight: each member draws a number from the key, and the best draw wins.

    When a member leaves, only its own keys move, to the others in equal parts; when one comes, it
    takes its share from all of them. Shares of the keys follow the weights. Costs one short hash
    and, for each member, a few operations.
    Source: D. Thaler, C. Ravishankar, "Using Name-Based Mappings to Increase Hit Rates", 1998;
    weights: C. Schindelhauer, G. Schomaker, "Weighted Distributed Hash Tables", 2005.
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
        best, least = members[0], math.inf
        for member in members:
            # The halves of a 128-bit product, folded: each bit of the key and of the identity
            # changes about half of the bits that are left.
            product = (hashed ^ member.identity) * _MULTIPLIER
            drawn = (product ^ (product >> 64)) & _MASK
            # Exponentially distributed, at a rate of the weight: the least of such draws is each
            # member's in proportion to its weight. Half a step up: zero has no logarithm.
            score = -math.log((drawn + 0.5) * _SCALE) * member.unit
            if score < least:
                best, least = member, score
        return best
