"""The stores of one process, by their URLs: what stands on the same server shares one client."""

from typing import TYPE_CHECKING

from mainstay.core.clock import SYSTEM_CLOCK, Clock
from mainstay.core.errors import ConfigInvalid, PolicyMisused
from mainstay.core.events import Listeners
from mainstay.state.breakers import SharedBreakers
from mainstay.state.idempotency.valkey import ValkeyRecords
from mainstay.state.limits.valkey import ValkeyLimits
from mainstay.state.sessions.valkey import ValkeySessions
from mainstay.state.valkey.client import Valkey

if TYPE_CHECKING:
    from mainstay.state.idempotency.postgres import PostgresRecords

_POSTGRES = ("postgresql", "postgres")


class Stores:
    """Makes the stores that a declaration names, and closes them. Connects to nothing by itself.

    Args:
        clock: Where time comes from.
        events: Told ``StoreAway`` and ``StoreBack`` by every client of Valkey; None: nobody is.
    """

    def __init__(self, *, clock: Clock = SYSTEM_CLOCK, events: Listeners | None = None) -> None:
        self._clock = clock
        self._events = events
        self._valkeys: dict[str, Valkey] = {}
        self._postgres: dict[str, PostgresRecords] = {}
        self._breakers: dict[str, SharedBreakers] = {}

    def limits(self, url: str) -> ValkeyLimits:
        """Return what counts requests for all replicas.

        Raises:
            ConfigInvalid: The URL leads to no Valkey.
        """
        return ValkeyLimits(self._valkey(url))

    def sessions(self, url: str) -> ValkeySessions:
        """Return what keeps sessions.

        Raises:
            ConfigInvalid: As above.
        """
        return ValkeySessions(self._valkey(url))

    def records(self, url: str) -> "ValkeyRecords | PostgresRecords":
        """Return what keeps the answers to idempotency keys.

        Raises:
            ConfigInvalid: The URL leads to neither Valkey nor PostgreSQL.
        """
        if url.partition("://")[0] not in _POSTGRES:
            return ValkeyRecords(self._valkey(url))
        # Only here: who keeps nothing in PostgreSQL need not have psycopg.
        from mainstay.state.idempotency.postgres import PostgresRecords  # noqa: PLC0415

        if url not in self._postgres:
            self._postgres[url] = PostgresRecords(url, clock=self._clock)
        return self._postgres[url]

    def breakers(self, url: str) -> SharedBreakers:
        """Return where circuits tell each other: the same at each call, since each has a thread.

        Raises:
            ConfigInvalid: The URL leads to no Valkey.
        """
        if url not in self._breakers:
            self._breakers[url] = SharedBreakers(self._valkey(url), clock=self._clock)
        return self._breakers[url]

    def close(self) -> None:
        """Close all that were made."""
        for breakers in self._breakers.values():
            breakers.close()
        for valkey in self._valkeys.values():
            valkey.close()
        for records in self._postgres.values():
            records.close()

    def _valkey(self, url: str) -> Valkey:
        if url not in self._valkeys:
            try:
                self._valkeys[url] = Valkey(url, clock=self._clock, events=self._events)
            except PolicyMisused as error:
                raise ConfigInvalid((str(error),)) from error
        return self._valkeys[url]
