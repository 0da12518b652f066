"""The buckets of one limit in memory: bounded, and no spent quota is ever given back.

A bucket is one number, the moment at which it is empty again. One that is empty may be forgotten,
since it is as one that never was; any other is kept, however many callers come. Where there are
too many, further callers share buckets (``Overflow``).
"""

from collections import deque

from mainstay.core.limits import NEVER_S
from mainstay.service.inbound.ratelimit.overflow import Overflow

_SWEPT = 2
"""Buckets that each new one looks at: in the long run at most twice as many are kept as are not
empty, and no request ever waits for a sweep."""


class Buckets:
    """Where the callers of one limit stand. No lock, no clock: ``Memory`` has both.

    Args:
        buckets_max: So many are kept exactly.

    Attributes:
        dues: When each bucket is empty; of callers that are not in it, ``due_s`` tells.
    """

    __slots__ = ("_max", "_overflow", "_ring", "dues")

    def __init__(self, buckets_max: int) -> None:
        assert buckets_max >= 1
        self.dues: dict[str, float] = {}
        # The same keys, in the order in which they are looked at next.
        self._ring: deque[str] = deque()
        self._overflow: Overflow | None = None
        self._max = buckets_max

    def due_s(self, key: str) -> float:
        """Return when a caller's bucket is empty, or a later moment; NEVER_S for a new caller."""
        due_s = self.dues.get(key)
        if due_s is None:
            return NEVER_S if self._overflow is None else self._overflow.due_s(key)
        return due_s

    def put(self, key: str, due_s: float, now_s: float) -> None:
        """Set when a caller's bucket is empty."""
        if key in self.dues:
            self.dues[key] = due_s
        else:
            self.add(key, due_s, now_s)

    def add(self, key: str, due_s: float, now_s: float) -> None:
        """As ``put``, for a caller that is not in ``dues``."""
        dues, ring = self.dues, self._ring
        for _ in range(min(_SWEPT, len(ring))):
            looked_at = ring.popleft()
            if dues[looked_at] <= now_s:
                del dues[looked_at]
            else:
                ring.append(looked_at)
        overflow = self._overflow
        if overflow is not None and overflow.latest_s <= now_s:
            self._overflow = overflow = None
        if len(dues) < self._max:
            dues[key] = due_s
            ring.append(key)
            return
        if overflow is None:
            self._overflow = overflow = Overflow(self._max)
        overflow.put(key, due_s)

    def give_back(self, key: str, taken_s: float) -> None:
        """Undo a take of a moment ago, by as much as it took."""
        # Shared buckets keep it: which of their callers it would be is not known.
        if key in self.dues:
            self.dues[key] -= taken_s
