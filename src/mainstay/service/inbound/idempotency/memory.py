"""Records in the memory of this process: for tests, and for a service that is one process.

What it promises ends with the process: after a restart, and in another replica, each key is new.
"""

import threading
from dataclasses import dataclass

from mainstay.core.clock import SYSTEM_CLOCK, Clock
from mainstay.core.errors import StoreUnavailable
from mainstay.core.idempotency import Bid, Claim, State

RECORDS_MAX = 100_000
BYTES_MAX = 64 * 1024 * 1024


@dataclass(slots=True, kw_only=True)
class _Row:
    token: int
    fingerprint: bytes
    lease_ends_s: float
    expires_s: float
    done: bool = False
    answer: bytes | None = None


class MemoryRecords:
    """Implements ``Records``.

    A full store refuses further keys: to forget an answer would be to do its work again.

    Args:
        clock: What leases and ages are measured by.
        records_max: So many records are kept.
        bytes_max: Of all answers together.
    """

    def __init__(
        self,
        *,
        clock: Clock = SYSTEM_CLOCK,
        records_max: int = RECORDS_MAX,
        bytes_max: int = BYTES_MAX,
    ) -> None:
        self._now_s = clock.monotonic_s
        self._records_max = records_max
        self._bytes_max = bytes_max
        self._bytes = 0
        # In the order in which they expire, as long as every record has the same ttl.
        self._rows: dict[str, _Row] = {}
        self._lock = threading.Lock()

    def begin(self, record: str, bid: Bid) -> Claim:
        """See ``Records``.

        Raises:
            StoreUnavailable: ``records_max`` are kept.
        """
        with self._lock:
            now_s = self._now_s()
            self._sweep(now_s)
            row = self._rows.get(record)
            if row is not None and row.expires_s <= now_s:
                self._forget(record)
                row = None
            if row is not None:
                if row.done:
                    return Claim(State.DONE, row.fingerprint, row.answer)
                if row.lease_ends_s > now_s:
                    return Claim(State.BUSY, row.fingerprint, None)
                if not (bid.rerun and row.fingerprint == bid.fingerprint):
                    return Claim(State.CRASHED, row.fingerprint, None)
                del self._rows[record]
            elif len(self._rows) >= self._records_max:
                raise StoreUnavailable("the memory for idempotency keys is full", begun=False)
            self._rows[record] = _Row(
                token=bid.token,
                fingerprint=bid.fingerprint,
                lease_ends_s=now_s + bid.lease_s,
                expires_s=now_s + bid.ttl_s,
            )
            return Claim(State.OURS, bid.fingerprint, None)

    async def abegin(self, record: str, bid: Bid) -> Claim:
        """See ``Records``."""
        return self.begin(record, bid)

    def finish(self, record: str, token: int, answer: bytes, ttl_s: float) -> bool:
        """See ``Records``."""
        with self._lock:
            row = self._held(record, token)
            if row is None:
                return False
            if not row.answer:
                if self._bytes + len(answer) > self._bytes_max:
                    raise StoreUnavailable("the memory for answers is full", begun=False)
                self._bytes += len(answer)
                row.answer = answer
            row.done = True
            row.expires_s = self._now_s() + ttl_s
            self._rows[record] = self._rows.pop(record)
            return True

    async def afinish(self, record: str, token: int, answer: bytes, ttl_s: float) -> bool:
        """See ``Records``."""
        return self.finish(record, token, answer, ttl_s)

    def release(self, record: str, token: int) -> bool:
        """See ``Records``."""
        with self._lock:
            row = self._held(record, token)
            if row is None or row.done:
                return False
            del self._rows[record]
            return True

    async def arelease(self, record: str, token: int) -> bool:
        """See ``Records``."""
        return self.release(record, token)

    def renew(self, record: str, token: int, lease_s: float) -> bool:
        """See ``Records``."""
        with self._lock:
            row = self._held(record, token)
            if row is None or row.done:
                return False
            row.lease_ends_s = self._now_s() + lease_s
            return True

    def _held(self, record: str, token: int) -> _Row | None:
        row = self._rows.get(record)
        return row if row is not None and row.token == token else None

    def _forget(self, record: str) -> None:
        row = self._rows.pop(record)
        self._bytes -= len(row.answer or b"")

    def _sweep(self, now_s: float) -> None:
        """Forget what has expired, from the oldest on; each record is forgotten once."""
        while self._rows:
            record = next(iter(self._rows))
            if self._rows[record].expires_s > now_s:
                return
            self._forget(record)
