"""What an answer says of the limits: three headers, and the problem of who came too often.

``RateLimit-Policy`` and ``RateLimit`` are those of draft-ietf-httpapi-ratelimit-headers-10, whose
values are structured fields (RFC 9651); ``Retry-After`` is that of RFC 9110.
"""

import math
from functools import lru_cache

from mainstay.service.inbound.exchange import Exchange
from mainstay.service.inbound.ratelimit.policy import Policy
from mainstay.service.inbound.refusal import Refusal

Header = tuple[bytes, bytes]

POLICIES = b"ratelimit-policy"
STATE = b"ratelimit"
_RETRY_AFTER = b"retry-after"
_SETS_MAX = 256
"""Sets of limits whose header is remembered; a service has as many as kinds of routes."""


class Headers:
    """Notes the headers of limits on a request. Shared by tasks and threads."""

    __slots__ = ("_sets",)

    def __init__(self) -> None:
        self._sets: dict[tuple[Policy, ...], Header | None] = {}

    def note(
        self,
        exchange: Exchange,
        policies: tuple[Policy, ...],
        told: Policy | None,
        remaining: int,
        seconds: float,
    ) -> None:
        """Note which limits hold for a request, and how much is left of one.

        Args:
            exchange: The request.
            policies: The limits that cover it.
            told: The one whose state is told; None: of none.
            remaining: Calls that are left of it.
            seconds: Until all of it is back, or until the request would pass.
        """
        header = self._sets[policies] if policies in self._sets else self._made(policies)
        if header is None:
            return
        if told is None or told.advertised is None:
            exchange.note(*header)
            return
        # Whole seconds, and never too early.
        state = (STATE, told.state % (remaining, math.ceil(seconds)))
        if exchange.noted is None:
            exchange.noted = [header, state]
        else:
            exchange.noted += (header, state)

    def _made(self, policies: tuple[Policy, ...]) -> Header | None:
        members = [one.advertised for one in policies if one.advertised is not None]
        header = (POLICIES, b", ".join(members)) if members else None
        if len(self._sets) < _SETS_MAX:
            self._sets[policies] = header
        return header


def wait_s(retry_after_s: float) -> int:
    """Return whole seconds, from 1, after which a request would pass."""
    return max(1, math.ceil(retry_after_s))


@lru_cache(maxsize=_SETS_MAX)
def refusal_after(seconds: int) -> Refusal:
    """Return the refusal of a request that would pass in ``seconds``."""
    return Refusal.of(
        "rate-limited",
        f"More requests than this service allows in the time; try again in {seconds} s.",
        ((_RETRY_AFTER, b"%d" % seconds),),
    )
