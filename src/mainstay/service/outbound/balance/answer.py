"""What is known of a name, decided purely: the last good answer and when to ask again."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from mainstay.service.outbound.balance.endpoint import Endpoint

ADDRESSES_READ_MAX = 4_096
"""Of one answer of a resolver, so that a hostile one costs little."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often a name is looked up.

    Attributes:
        ttl_s: How long an answer is used until the next look-up. The system's resolver does not
            tell the time to live of a record, so this stands in for it.
        retry_s: After a look-up that failed; doubled with each further one, up to ``ttl_s``.
        spread: Every wait is shortened by up to this share, by chance, so that a fleet that
            started together doesn't ask together.
    """

    ttl_s: float = 30.0
    retry_s: float = 1.0
    spread: float = 0.1

    def __post_init__(self) -> None:
        if not 0 < self.retry_s <= self.ttl_s < math.inf:
            raise ValueError("retry_s is above 0 and at most ttl_s, which is finite")
        if not 0 <= self.spread < 1:
            raise ValueError(f"spread is a share from 0 to below 1, not {self.spread}")

    def wait_s(self, failures: int, draw: float) -> float:
        """Return the seconds until the next look-up.

        Args:
            failures: Look-ups that failed in a row.
            draw: Uniform over [0, 1).
        """
        # Bounded exponent: a float overflows in a long outage.
        retry_s = math.ldexp(self.retry_s, min(failures, 64) - 1)
        plain_s = min(self.ttl_s, retry_s) if failures else self.ttl_s
        return plain_s * (1 - self.spread * draw)


def endpoints_of(
    addresses: Iterable[str],
    *,
    port: int,
    before: tuple[Endpoint, ...],
    endpoints_max: int,
) -> tuple[Endpoint, ...]:
    """Return the endpoints that an answer names, each once, at most ``endpoints_max``.

    Where there are more, those of the last answer go first: an answer that is shuffled each time
    must not replace the endpoints each time. What is no address is left out.
    """
    named: dict[Endpoint, None] = {}
    for address, _ in zip(addresses, range(ADDRESSES_READ_MAX), strict=False):
        try:
            named[Endpoint(host=address, port=port)] = None
        except ValueError:
            continue
    stay = [endpoint for endpoint in before if endpoint in named]
    come = [endpoint for endpoint in named if endpoint not in before]
    return tuple((stay + come)[:endpoints_max])
