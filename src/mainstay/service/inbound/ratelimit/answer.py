"""What an answer says of the limits: three headers, and the problem of who came too often.

``RateLimit-Policy`` and ``RateLimit`` are those of draft-ietf-httpapi-ratelimit-headers-10, whose
values are structured fields (RFC 9651); ``Retry-After`` is that of RFC 9110.
"""

import math
from functools import lru_cache

from mainstay.service.inbound.exchange import Exchange
from mainstay.service.inbound.problems.refusal import Refusal
from mainstay.service.inbound.ratelimit.covering import Header
from mainstay.service.inbound.ratelimit.policy import Policy

STATE = b"ratelimit"
_RETRY_AFTER = b"retry-after"
_REFUSALS_MAX = 256
"""Refusals that are remembered, one for each time to wait."""


def note(
    exchange: Exchange, header: Header | None, told: Policy | None, remaining: int, seconds: float
) -> None:
    """Note which limits hold for a request, and how much is left of one.

    Args:
        exchange: The request.
        header: Of the limits that cover it; None where answers tell of none.
        told: The one whose state is told; None: of none.
        remaining: Calls that are left of it.
        seconds: Until all of it is back, or until the request would pass.
    """
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


def wait_s(retry_after_s: float) -> int:
    """Return whole seconds, from 1, after which a request would pass."""
    return max(1, math.ceil(retry_after_s))


@lru_cache(maxsize=_REFUSALS_MAX)
def refusal_after(seconds: int) -> Refusal:
    """Return the refusal of a request that would pass in ``seconds``."""
    return Refusal.of(
        "rate-limited",
        f"More requests than this service allows in the time; try again in {seconds} s.",
        ((_RETRY_AFTER, b"%d" % seconds),),
    )
