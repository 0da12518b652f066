"""The outbound rate limit: options, and the generic cell rate algorithm. No clock, no sleep."""

import threading
from dataclasses import dataclass

from mainstay.service.outbound.quantity import Duration, Options


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
    """The state of one rate limit: one number. Shared by tasks, threads and loops.

    The number is the theoretical arrival time: when the bucket would be empty again.
    Source: ITU-T I.371, generic cell rate algorithm (virtual scheduling).
    """

    __slots__ = ("_acquire", "_due_s", "_every_s", "_release", "_tolerance_s", "_wait_s", "options")

    def __init__(self, options: RateLimit) -> None:
        lock = threading.Lock()
        self._acquire, self._release = lock.acquire, lock.release
        self._due_s = float("-inf")
        self.reconfigure(options)

    def reconfigure(self, options: RateLimit) -> None:
        """Take a new rate; how full the bucket is stays, in seconds until it is empty."""
        self.options = options
        self._every_s = 1.0 / float(options.rate)
        self._tolerance_s = self._every_s * (options.burst - 1)
        self._wait_s = float(options.wait)

    def take(self, now_s: float) -> float:
        """Take one call out of the limit.

        Args:
            now_s: Monotonic; one that goes back is as if no time had passed.

        Returns:
            The seconds to wait before the call leaves, or, where that is longer than it may wait,
            minus the seconds until it may be tried again. A turn that was taken and not used is
            not given back.
        """
        # As `with self._lock`, in half the time: for every call.
        self._acquire()
        try:
            due_s = self._due_s
            if due_s < now_s:  # noqa: PLR1730  max() costs as much as all else here.
                due_s = now_s
            wait_s = due_s - self._tolerance_s - now_s
            if wait_s > self._wait_s:
                return -wait_s
            self._due_s = due_s + self._every_s
            return wait_s if wait_s > 0.0 else 0.0  # noqa: FURB136  As above.
        finally:
            self._release()
