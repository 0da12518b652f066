"""What is known about a server, and when to look again. No clock, no I/O.

    not known ──opened──▶ here ──its connection ended──▶ not known, and looked for at once
        │                  └─────it hung──────────────▶ away
        └──no answer, or none in time──▶ away ──opened──▶ here

While it is not known, callers wait for the connection, within their bound. While it is away, they
hear so at once, and attempts go on behind their backs.
"""

import math
from random import Random

BACKOFF_BASE_S = 0.05
BACKOFF_MAX_S = 1.0
"""A server that is back is found within about a second."""

_DOUBLINGS_MAX = 16


class Presence:
    """What one side of a client knows. Not shared between threads without a lock.

    Attributes:
        away: Why callers are sent away, in words that end a sentence; None: they are not.
    """

    __slots__ = ("_failures", "away")

    def __init__(self) -> None:
        self.away: str | None = None
        self._failures = 0

    def opened(self) -> bool:
        """Note a connection that serves; return whether callers were sent away until now."""
        was, self.away = self.away, None
        return was is not None

    def send_away(self, why: str) -> bool:
        """Let nobody wait any longer; return whether this is news."""
        was, self.away = self.away, why
        return was is None

    def proved(self) -> None:
        """Note that a connection answered a call: only then are failures forgotten.

        A server that greets and then hangs up would otherwise be called upon without a pause.
        """
        self._failures = 0

    def delay_s(self, rng: Random) -> float:
        """Count a failure; return the seconds until the next attempt.

        Half of a doubling time and a random half: nobody comes back in step with others.
        """
        self._failures += 1
        doublings = min(self._failures - 1, _DOUBLINGS_MAX)
        ceiling_s = min(BACKOFF_MAX_S, math.ldexp(BACKOFF_BASE_S, doublings))
        return ceiling_s * rng.uniform(0.5, 1.0)
