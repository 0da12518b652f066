"""Sessions in the memory of this process: for tests, and for a service that is one process."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mainstay.core.clock import SYSTEM_CLOCK, Clock
from mainstay.core.errors import StoreUnavailable
from mainstay.core.sessions import NOW, Ages, Birth, Found, Name, Outcome

SESSIONS_MAX = 10_000


@dataclass(slots=True, kw_only=True)
class _Row:
    birth: Birth
    fields: dict[str, str]
    expires_us: int


class MemorySessions:
    """Implements ``SessionRecords``.

    A full store takes no new session: to end somebody's would sign him out.

    Args:
        clock: What ages are measured by.
        sessions_max: So many sessions are kept, and as many users' sign-outs.
    """

    def __init__(self, *, clock: Clock = SYSTEM_CLOCK, sessions_max: int = SESSIONS_MAX) -> None:
        self._clock = clock
        self._max = sessions_max
        self._rows: dict[Name, _Row] = {}
        # Group to (stamp of the sign-out, when it may be forgotten).
        self._revoked: dict[str, tuple[int, int]] = {}
        self._lock = threading.Lock()
        self._last_us = 0

    def load(self, name: Name, ages: Ages) -> Found | None:
        """See ``SessionRecords``."""
        with self._lock:
            now_us = self._now_us()
            row = self._alive(name, ages, now_us)
            if row is None:
                return None
            expires_us = _expires_us(row.birth.created, ages, now_us)
            if row.expires_us < expires_us - ages.touch_ms * 1000:
                row.expires_us = expires_us
            return Found(dict(row.fields), row.birth)

    async def aload(self, name: Name, ages: Ages) -> Found | None:
        """See ``SessionRecords``."""
        return self.load(name, ages)

    def create(self, name: Name, birth: Birth, fields: Mapping[str, str], ages: Ages) -> Outcome:
        """See ``SessionRecords``."""
        with self._lock:
            now_us = self._now_us()
            birth = Birth(
                birth.created or now_us,
                now_us if birth.bound == NOW else birth.bound,
                birth.user,
            )
            expires_us = _expires_us(birth.created, ages, now_us)
            if expires_us <= now_us or self._is_revoked(name, birth):
                return Outcome.GONE
            if len(self._rows) >= self._max:
                self._sweep(now_us)
            self._rows[name] = _Row(birth=birth, fields=dict(fields), expires_us=expires_us)
            return Outcome.DONE

    async def acreate(
        self, name: Name, birth: Birth, fields: Mapping[str, str], ages: Ages
    ) -> Outcome:
        """See ``SessionRecords``."""
        return self.create(name, birth, fields, ages)

    def change(
        self, name: Name, fields: Mapping[str, str], removed: Sequence[str], ages: Ages, size: int
    ) -> Outcome:
        """See ``SessionRecords``."""
        with self._lock:
            now_us = self._now_us()
            row = self._alive(name, ages, now_us)
            if row is None:
                return Outcome.GONE
            changed = {**row.fields, **fields}
            for one in removed:
                changed.pop(one, None)
            if sum(len(key.encode()) + len(text.encode()) for key, text in changed.items()) > size:
                return Outcome.FULL
            row.fields = changed
            row.expires_us = _expires_us(row.birth.created, ages, now_us)
            return Outcome.DONE

    async def achange(
        self, name: Name, fields: Mapping[str, str], removed: Sequence[str], ages: Ages, size: int
    ) -> Outcome:
        """See ``SessionRecords``."""
        return self.change(name, fields, removed, ages, size)

    def drop(self, name: Name) -> None:
        """See ``SessionRecords``."""
        with self._lock:
            self._rows.pop(name, None)

    async def adrop(self, name: Name) -> None:
        """See ``SessionRecords``."""
        self.drop(name)

    def revoke(self, group: str, ages: Ages) -> None:
        """See ``SessionRecords``."""
        with self._lock:
            now_us = self._now_us()
            if len(self._revoked) >= self._max:
                self._sweep(now_us)
            self._revoked[group] = (now_us, now_us + ages.lifetime_ms * 1000)

    async def arevoke(self, group: str, ages: Ages) -> None:
        """See ``SessionRecords``."""
        self.revoke(group, ages)

    def _now_us(self) -> int:
        # Never twice the same: what is bound after a sign-out must be later than it.
        self._last_us = max(self._last_us + 1, int(self._clock.monotonic_s() * 1_000_000))
        return self._last_us

    def _alive(self, name: Name, ages: Ages, now_us: int) -> _Row | None:
        row = self._rows.get(name)
        if row is None:
            return None
        too_old = row.birth.created + ages.lifetime_ms * 1000 <= now_us
        if row.expires_us <= now_us or too_old or self._is_revoked(name, row.birth):
            del self._rows[name]
            return None
        return row

    def _is_revoked(self, name: Name, birth: Birth) -> bool:
        revoked = self._revoked.get(name.group)
        return revoked is not None and birth.bound is not None and birth.bound <= revoked[0]

    def _sweep(self, now_us: int) -> None:
        """Forget what has ended; where that makes no room, say so."""
        self._rows = {name: row for name, row in self._rows.items() if row.expires_us > now_us}
        self._revoked = {
            group: (at_us, until_us)
            for group, (at_us, until_us) in self._revoked.items()
            if until_us > now_us
        }
        if len(self._rows) >= self._max or len(self._revoked) >= self._max:
            raise StoreUnavailable("the memory for sessions is full", begun=False)


def _expires_us(created_us: int, ages: Ages, now_us: int) -> int:
    return min(now_us + ages.ttl_ms * 1000, created_us + ages.lifetime_ms * 1000)
