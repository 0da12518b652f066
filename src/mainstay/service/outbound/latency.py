"""A bounded sketch of how long calls took: percentiles within 10 %, of recent calls only."""

import math
import threading
from array import array

_SHORTEST_S = 1e-5
_PER_OCTAVE = 4
"""Four buckets for each doubling: neighbours differ by 19 %, a percentile by 10 % at most."""

_BUCKETS = 112
"""From 10 µs to 45 min; what is shorter or longer counts in the first or the last."""

_FRESH = 1000
"""So many calls make a generation; the last two are kept, so that old days are forgotten. No bucket
holds more, which sixteen bits do."""

SAMPLES_MIN = 50
"""With fewer calls a 99th percentile says nothing."""

_STALE = 64
"""A percentile is worked out anew after so many calls: it costs as much as all of them."""


class Latency:
    """How long recent calls took. 0.6 KB; shared by tasks, threads and loops.

    Recording is under a lock: a lost count in one bucket would not matter, but turning the
    generation must not happen twice.
    """

    __slots__ = ("_fresh", "_fresh_count", "_lock", "_old", "_old_count")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._fresh = array("H", [0]) * _BUCKETS
        self._old = array("H", [0]) * _BUCKETS
        self._fresh_count = 0
        self._old_count = 0

    def renew_lock(self) -> None:
        """Take a new lock, for a child process."""
        self._lock = threading.Lock()

    def record(self, took_s: float) -> bool:
        """Count one call; True where it is time to look at the percentiles again."""
        at = 0
        if took_s > _SHORTEST_S:
            at = min(_BUCKETS - 1, int(math.log2(took_s / _SHORTEST_S) * _PER_OCTAVE))
        with self._lock:
            self._fresh[at] += 1
            self._fresh_count += 1
            if self._fresh_count >= _FRESH:
                self._old, self._fresh = self._fresh, array("H", [0]) * _BUCKETS
                self._old_count, self._fresh_count = self._fresh_count, 0
                return True
            # Often at first, when every call still changes much.
            return self._fresh_count % (_STALE if self._old_count else SAMPLES_MIN) == 0

    def percentile_s(self, share: float) -> float | None:
        """Return the time that ``share`` of recent calls did not exceed; None: too few calls."""
        with self._lock:
            count = self._fresh_count + self._old_count
            if count < SAMPLES_MIN:
                return None
            rank = share * count
            seen = 0
            for at in range(_BUCKETS):
                seen += self._fresh[at] + self._old[at]
                if seen >= rank:
                    break
        # The middle of the bucket, in its own geometric measure.
        return _SHORTEST_S * math.exp2((at + 0.5) / _PER_OCTAVE)

    def count(self) -> int:
        """Return how many calls the percentiles stand on."""
        return self._fresh_count + self._old_count
