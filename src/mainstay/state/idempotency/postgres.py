"""Records in PostgreSQL: durable, and completed in the transaction in which the work is done."""

from collections.abc import Mapping
from itertools import count
from typing import Any
from urllib.parse import urlsplit

from mainstay.core.clock import SYSTEM_CLOCK, Clock
from mainstay.core.errors import StoreRefused, StoreUnavailable
from mainstay.core.idempotency import Bid, Claim, State
from mainstay.state.idempotency.connections import LOCKED, Connections, Said
from mainstay.state.idempotency.statements import (
    BEGIN,
    CREATE_TABLE,
    FINISH,
    RELEASE,
    RENEW,
    SWEEP,
)

TIMEOUT_S = 0.25
"""More than the 50 ms of Valkey: a commit waits for a disk."""

_TRIES = 3
_SWEEP_EVERY = 256
_STATES = {
    "ours": State.OURS,
    "busy": State.BUSY,
    "crashed": State.CRASHED,
    "done": State.DONE,
}


class PostgresRecords:
    """Implements ``Records`` and ``TransactionalRecords`` of ``service.inbound.idempotency``.

    Safe to share between tasks, threads and loops. Nothing is connected before the first call. Its
    table is made by ``CREATE_TABLE``; what has expired is forgotten, a hundred rows at a time, at
    each 256th key.

    Args:
        url: ``postgresql://``; SQLAlchemy's ``postgresql+psycopg://`` is the same.
        timeout_s: Of each call, connecting included.
        connections_max: At once.
        waiting_max: Callers that wait; one more is sent away at once.
        clock: For the pause after a failure.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float = TIMEOUT_S,
        connections_max: int = 4,
        waiting_max: int = 1024,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        scheme, _, rest = url.partition("://")
        conninfo = f"{scheme.partition('+')[0]}://{rest}"
        self._connections = Connections(
            conninfo,
            label=_label(conninfo),
            timeout_s=timeout_s,
            connections_max=connections_max,
            waiting_max=waiting_max,
            clock=clock,
        )
        self._keys = count(1)

    def create_table(self) -> None:
        """Make the table where there is none; see ``CREATE_TABLE`` for migrations.

        Raises:
            StoreUnavailable: It may not be there.
        """
        self._connections.ask(CREATE_TABLE, {})

    def begin(self, record: str, bid: Bid) -> Claim:
        """Take a record, or say why not."""
        values = self._bidding(record, bid)
        try:
            for _ in range(_TRIES):
                rows = self._connections.ask(BEGIN, values)[1]
                if rows:
                    return _claim(rows[0])
        except StoreRefused as error:
            return _locked(error, bid)
        raise _unsettled()

    async def abegin(self, record: str, bid: Bid) -> Claim:
        """As ``begin``, for tasks."""
        values = self._bidding(record, bid)
        try:
            for _ in range(_TRIES):
                rows = (await self._connections.aask(BEGIN, values))[1]
                if rows:
                    return _claim(rows[0])
        except StoreRefused as error:
            return _locked(error, bid)
        raise _unsettled()

    def finish(self, record: str, token: int, answer: bytes, ttl_s: float) -> bool:
        """Keep the answer, unless the record has one; False: the token does not hold it."""
        return _touched(self._connections.ask(FINISH, _finishing(record, token, answer, ttl_s)))

    async def afinish(self, record: str, token: int, answer: bytes, ttl_s: float) -> bool:
        """As ``finish``, for tasks."""
        values = _finishing(record, token, answer, ttl_s)
        return _touched(await self._connections.aask(FINISH, values))

    def release(self, record: str, token: int) -> bool:
        """Set it free; False: the token does not hold it, or it is done."""
        return _touched(self._connections.ask(RELEASE, {"record": record, "token": token}))

    async def arelease(self, record: str, token: int) -> bool:
        """As ``release``, for tasks."""
        return _touched(await self._connections.aask(RELEASE, {"record": record, "token": token}))

    def renew(self, record: str, token: int, lease_s: float) -> bool:
        """Hold it for ``lease_s`` from now; 0 ends the lease. False: as ``release``."""
        values = {"record": record, "token": token, "lease_s": lease_s}
        return _touched(self._connections.ask(RENEW, values))

    def finish_within(
        self, connection: Any, record: str, token: int, answer: bytes, ttl_s: float
    ) -> bool:
        """As ``finish``, in the transaction of a connection of psycopg or SQLAlchemy. Any: these.

        Their errors are theirs, and pass.
        """
        # SQLAlchemy's sessions lead to their connection; psycopg's is one.
        if hasattr(connection, "connection") and callable(connection.connection):
            connection = connection.connection()
        say = getattr(connection, "exec_driver_sql", None) or connection.execute
        cursor = say(FINISH, _finishing(record, token, answer, ttl_s))
        return bool(cursor.rowcount == 1)

    async def afinish_within(
        self, connection: Any, record: str, token: int, answer: bytes, ttl_s: float
    ) -> bool:
        """As ``finish_within``, for their asynchronous connections."""
        if hasattr(connection, "connection") and callable(connection.connection):
            connection = await connection.connection()
        say = getattr(connection, "exec_driver_sql", None) or connection.execute
        cursor = await say(FINISH, _finishing(record, token, answer, ttl_s))
        return bool(cursor.rowcount == 1)

    def close(self) -> None:
        """Close the connections; what is asked afterwards is refused."""
        self._connections.close()

    def _bidding(self, record: str, bid: Bid) -> dict[str, Any]:
        if next(self._keys) % _SWEEP_EVERY == 0:
            self._connections.tell(SWEEP)
        return {"record": record, **bid._asdict()}


def _label(conninfo: str) -> str:
    """Return the server's name, without user, password and parameters."""
    return f"postgresql at {urlsplit(conninfo).netloc.rpartition('@')[2] or 'its socket'}"


def _finishing(record: str, token: int, answer: bytes, ttl_s: float) -> Mapping[str, Any]:
    return {"record": record, "token": token, "answer": answer, "ttl_s": ttl_s}


def _touched(said: Said) -> bool:
    return said[0] == 1


def _claim(row: tuple[Any, ...]) -> Claim:
    state, fingerprint, answer = row
    return Claim(_STATES[state], bytes(fingerprint), None if answer is None else bytes(answer))


def _locked(error: StoreRefused, bid: Bid) -> Claim:
    """Return that a record is busy which the transaction of its work holds, or raise the error."""
    if error.code != LOCKED:
        raise error
    return Claim(State.BUSY, bid.fingerprint, None)


def _unsettled() -> StoreUnavailable:
    return StoreUnavailable("a record was taken and set free again and again", begun=True)
