"""The retry budget: further attempts are a share of the calls of the last second.

Where that is less than a floor, as for a dependency that is called seldom, the floor holds. It is
not added: a busy dependency would get more than the share in the moment when it can bear none.

The window is short on purpose. Over ten seconds, an outage would begin with two seconds' worth of
saved-up retries, all at once: three times the traffic at the worst moment.
"""

import threading

SLICES = 10
SLICE_S = 0.1
_WINDOW_S = SLICES * SLICE_S


class Budget:
    """What may be spent on retries and hedges of one dependency. Shared by tasks and threads.

    Every call counts itself by ``calls += 1``, without the lock: where two threads do so at the
    very same moment on an interpreter without a global lock, one count may be lost, which makes
    the budget smaller and never larger. All else happens only when something failed.

    Args:
        share: Further attempts for each call of the last second: 0.2 is one for five.
        floor_per_s: Further attempts a second that there may be in any case.
        now_s: Monotonic seconds.

    Attributes:
        calls: First attempts so far.
        spent: What was granted so far.
        denied: What was not.
    """

    __slots__ = (
        "_calls", "_floor", "_granted", "_lock", "_newest", "_seen", "_share",
        "calls", "denied", "spent",
    )  # fmt: skip

    def __init__(self, share: float, floor_per_s: float, *, now_s: float) -> None:
        self._lock = threading.Lock()
        self._share = share
        self._floor = floor_per_s * _WINDOW_S
        self._calls = [0.0] * SLICES
        self._granted = [0] * SLICES
        self._newest = int(now_s // SLICE_S)
        self._seen = 0
        self.calls = 0
        self.spent = 0
        self.denied = 0

    def renew_lock(self) -> None:
        """Take a new lock, for a child process."""
        self._lock = threading.Lock()

    def spend(self, now_s: float) -> bool:
        """Take one further attempt out of the budget; False: there is none left."""
        with self._lock:
            self._advance(int(now_s // SLICE_S))
            if sum(self._granted) + 1 > self._allowed():
                self.denied += 1
                return False
            self._granted[self._newest % SLICES] += 1
            self.spent += 1
            return True

    def left(self, now_s: float) -> int:
        """Return how many further attempts may be made now."""
        with self._lock:
            self._advance(int(now_s // SLICE_S))
            return max(0, int(self._allowed()) - sum(self._granted))

    def reconfigure(self, share: float, floor_per_s: float) -> None:
        """Take a new share and floor; what was counted stays."""
        with self._lock:
            self._share, self._floor = share, floor_per_s * _WINDOW_S

    def _allowed(self) -> float:
        # Rounded up by less than a call, so that a share of 20 % of 5 calls is one.
        return max(self._share * sum(self._calls), self._floor) + 1e-9

    def _advance(self, now: int) -> None:
        """Move the window to slice ``now``, and spread what was called since over the gap.

        When nothing failed for a while, nobody noted when the calls were made: as many in each
        slice is the best guess, and after a long pause it leaves next to none for this second.
        """
        made, self._seen = self.calls - self._seen, self.calls
        gap = now - self._newest
        if gap <= 0:
            self._calls[self._newest % SLICES] += made
            return
        each = made / gap
        for one in range(now - min(gap, SLICES) + 1, now + 1):
            self._calls[one % SLICES] = each
            self._granted[one % SLICES] = 0
        self._newest = now
