"""The outbound rate limit: options, and the generic cell rate algorithm. No clock, no sleep."""

import math
import threading
from bisect import bisect_right, insort
from dataclasses import dataclass

from mainstay.service.outbound.quantity import Duration, Options

NEVER = math.inf
"""No turn that is of use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """Call a dependency no more often than it allows.

    Attributes:
        rate: Calls, ``50/s`` or a number a second.
        burst: At once after a pause.
        wait: A call waits so long for its turn; 0 rejects what comes too early.
    """

    rate: float | str
    burst: int = 1
    wait: Duration = 0.0

    def __post_init__(self) -> None:
        options = Options("RateLimit")
        rate_per_s = options.rate("rate", self.rate, zero=False)
        options.whole("burst", self.burst, 1, 1_000_000)
        object.__setattr__(self, "rate", rate_per_s)
        object.__setattr__(self, "wait", options.seconds("wait", self.wait, minimum=0.0))
        options.done()


class Limiter:
    """The state of one rate limit: one number, and turns that were given back. Shared by all.

    The number is the theoretical arrival time: when the bucket would be empty again.
    Source: ITU-T I.371, generic cell rate algorithm (virtual scheduling).
    """

    __slots__ = (
        "_due_s", "_every_s", "_given", "_lock", "_since_s", "_tolerance_s", "_wait_s", "options",
    )  # fmt: skip

    def __init__(self, options: RateLimit) -> None:
        self.renew_lock()
        self._due_s = float("-inf")
        # Turns that were taken and are not used, soonest first. As many as calls may wait.
        self._given: list[float] = []
        self.reconfigure(options)

    def renew_lock(self) -> None:
        """Take a new lock, for a child process. The turns of the parent's threads stay taken."""
        self._lock = threading.Lock()

    def reconfigure(self, options: RateLimit) -> None:
        """Take a new rate; how full the bucket is stays, in seconds until it is empty."""
        self.options = options
        self._since_s = self._due_s
        self._every_s = 1.0 / float(options.rate)
        self._tolerance_s = self._every_s * (options.burst - 1)
        self._wait_s = float(options.wait)

    def take(self, now_s: float, until_s: float = NEVER) -> float:
        """Take one call out of the limit.

        Args:
            now_s: Monotonic; one that goes back is as if no time had passed.
            until_s: A turn that does not come before this is of no use, and not taken.

        Returns:
            The seconds to wait before the call leaves. Where none was taken: infinite, if
            ``until_s`` comes first; or, if the call may not wait so long, minus the seconds until
            it may be tried again.
        """
        # Not by `acquire` and `release`, in half the time: a handler of a signal that raises
        # between them, as a task's time limit does, would leave the lock taken.
        with self._lock:
            due_s = self._due_s
            if due_s < now_s:  # noqa: PLR1730  max() costs as much as all else here.
                due_s = now_s
            wait_s = due_s - self._tolerance_s - now_s
            if wait_s > 0.0:
                return self._queue(now_s, wait_s, until_s)
            if now_s >= until_s:
                return NEVER
            self._due_s = due_s + self._every_s
            return 0.0

    def give_back(self, turn_s: float, now_s: float) -> None:
        """Give back a turn that is not used: its call was cancelled while it waited.

        Whoever took a later one keeps it, so calls leave at the times at which they would have,
        less this one; the next to come gets it, if it comes before the turn is over.

        Args:
            turn_s: When the call would have left: when it was taken, and the wait.
            now_s: The present time.
        """
        with self._lock:
            if not self._is_last(turn_s):
                if turn_s > now_s:
                    insort(self._given, turn_s)
                return
            self._due_s -= self._every_s
            while self._given and self._is_last(self._given[-1]):
                self._given.pop()
                self._due_s -= self._every_s

    def _queue(self, now_s: float, wait_s: float, until_s: float) -> float:
        given = self._given
        del given[: bisect_right(given, now_s)]
        reused = bool(given) and given[0] - now_s < wait_s
        if reused:
            wait_s = given[0] - now_s
        if wait_s > self._wait_s:
            return -wait_s
        if now_s + wait_s >= until_s:
            return NEVER
        if reused:
            del given[0]
        else:
            self._due_s += self._every_s
        return wait_s

    def _is_last(self, turn_s: float) -> bool:
        """Return whether nobody took a turn after this one; those of an older rate never are."""
        before_s = self._due_s - self._every_s
        # Turns are so far apart that rounding does not matter.
        near = abs(before_s - self._tolerance_s - turn_s) < self._every_s / 2.0
        return near and before_s >= self._since_s
