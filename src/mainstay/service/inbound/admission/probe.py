"""Measuring the baseline: the latency with little in flight. No clock, no lock."""

import math


class Probe:
    """A measurement of the baseline with less in flight.

    The latency is what is in flight over what is done in a second (Little's law). The mean of the
    answers would not do: those that come within a short time are the short ones.

    Args:
        limit: Requests in flight meanwhile.
        needed: Requests that must end.
        began_s: When it began.
        ends_s: When it ends without a result.

    Attributes:
        limit, began_s, ends_s: As given.
        area_s: What was in flight, times how long.
        done: Requests that ended in this time.
    """

    __slots__ = ("_last_s", "_needed", "area_s", "began_s", "done", "ends_s", "limit")

    def __init__(self, *, limit: int, needed: int, began_s: float, ends_s: float) -> None:
        self.limit = limit
        self.began_s = began_s
        self.ends_s = ends_s
        self._needed = needed
        # Until there is as little in flight as it takes, nothing counts.
        self._last_s = math.inf
        self.area_s = 0.0
        self.done = 0

    def go_on(self, in_flight: int, done: int, now_s: float) -> bool:
        """Note how many were in flight until now, and how many ended; True: that is enough."""
        if self._last_s < math.inf:
            self.area_s += in_flight * (now_s - self._last_s)
            self.done += done
        elif in_flight > self.limit:
            return False
        self._last_s = now_s
        return self.done >= self._needed
