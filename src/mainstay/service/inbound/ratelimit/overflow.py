"""Buckets that callers share where there are too many: never more lenient than one's own.

A count-min sketch with conservative update (Cormode and Muthukrishnan 2005; Estan and Varghese
2002), of moments in place of counts: each caller has a cell in every row, its bucket is taken to be
as full as the emptiest of them, and a take fills each up to that. A caller is held for somebody
else's requests only where others have filled its cells in every row.
"""

from array import array

from mainstay.core.limits import NEVER_S

_ROWS = 2
"""Where more callers come than cells, more rows make it worse, and one alone is twice as unfair."""
_ROW_SHIFT = 32
"""Bits of a hash between the cells of one row and of the next: they are independent."""


class Overflow:
    """Shared buckets. No lock, no clock.

    Args:
        callers: For how many it should do; a row has the next power of two.

    Attributes:
        latest_s: When all of them are empty.
    """

    __slots__ = ("_mask", "_rows", "latest_s")

    def __init__(self, callers: int) -> None:
        width = 1 << (callers - 1).bit_length()
        self.latest_s = NEVER_S
        self._mask = width - 1
        self._rows = tuple(array("d", [NEVER_S]) * width for _ in range(_ROWS))

    def due_s(self, key: str) -> float:
        """Return when a caller's bucket is empty at the latest."""
        # Python's hash of texts has a secret of the process in it: nobody can choose collisions.
        place, due_s = hash(key), self.latest_s
        for row in self._rows:
            due_s = min(due_s, row[place & self._mask])
            place >>= _ROW_SHIFT
        return due_s

    def put(self, key: str, due_s: float) -> None:
        """Fill a caller's bucket up to ``due_s``."""
        place = hash(key)
        for row in self._rows:
            cell = place & self._mask
            row[cell] = max(row[cell], due_s)
            place >>= _ROW_SHIFT
        self.latest_s = max(self.latest_s, due_s)
