"""One attempt to do the work of a request that carries a key."""

from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any, Protocol

from mainstay.core.errors import MainstayError, PolicyMisused
from mainstay.service.inbound.idempotency.answer import Answer, encode, lasting
from mainstay.service.inbound.idempotency.records import Records
from mainstay.service.inbound.problems.refusal import RawHeaders

_JSON: RawHeaders = ((b"content-type", b"application/json"),)


class AttemptSuperseded(MainstayError):
    """The record is held by another attempt, since this one's lease ended: undo the work."""


class TransactionalRecords(Protocol):
    """Records in the database in which the work is done, too."""

    def finish_within(
        self, connection: Any, record: str, token: int, answer: bytes, ttl_s: float
    ) -> bool:
        """As ``Records.finish``, in the transaction of a connection of the user's. Any: theirs."""
        ...

    async def afinish_within(
        self, connection: Any, record: str, token: int, answer: bytes, ttl_s: float
    ) -> bool:
        """As ``finish_within``."""
        ...


class Attempt:
    """What the app may know of its request's key; ``mainstay.idempotency()`` returns it.

    Attributes:
        key: The client's, as text; never log it beside the caller.
        record: Name of its record in the store: a hash.
        token: Of this attempt, no other has the same.
        fingerprint: Of the request.
        proven: Whether nobody else can have sent it: only then is an answer repeated.
        witness: What else must be the same for that; see ``key.witness_of``.
    """

    __slots__ = (
        "_records", "_ttl_s", "fingerprint", "key", "proven", "record", "token", "witness",
    )  # fmt: skip

    def __init__(
        self,
        *,
        key: str,
        record: str,
        token: int,
        fingerprint: bytes,
        records: Records,
        ttl_s: float,
        proven: bool = True,
        witness: str = "",
    ) -> None:
        self.key = key
        self.proven = proven
        self.witness = witness
        self.record = record
        self.token = token
        self.fingerprint = fingerprint
        self._records = records
        self._ttl_s = ttl_s

    def complete(
        self,
        connection: Any,
        *,
        status: int,
        body: bytes | None,
        headers: Sequence[tuple[bytes, bytes]] = _JSON,
    ) -> None:
        """Keep the answer in the transaction in which the work is done: both are, or neither.

        Args:
            connection: Of psycopg or SQLAlchemy, synchronous, in a transaction of the database that
                holds the records. Any: theirs.
            status: What a repetition gets, even if this process dies before it has answered.
            body: As ``status``; None keeps what the app answers then, and only says for now that
                the work was done.
            headers: As ``status``.

        Raises:
            AttemptSuperseded: Let it end the transaction.
            PolicyMisused: The store of the keys is none that takes part in transactions.
        """
        answer = self._encoded(status, body, headers)
        _check(
            self._transactional().finish_within(
                connection, self.record, self.token, answer, self._ttl_s
            )
        )

    async def acomplete(
        self,
        connection: Any,
        *,
        status: int,
        body: bytes | None,
        headers: Sequence[tuple[bytes, bytes]] = _JSON,
    ) -> None:
        """As ``complete``, with an asynchronous connection."""
        answer = self._encoded(status, body, headers)
        _check(
            await self._transactional().afinish_within(
                connection, self.record, self.token, answer, self._ttl_s
            )
        )

    def _encoded(
        self, status: int, body: bytes | None, headers: Sequence[tuple[bytes, bytes]]
    ) -> bytes:
        if body is None:
            return b""
        kept = lasting(tuple(headers))
        return encode(Answer(status=status, headers=kept, body=body, witness=self.witness))

    def _transactional(self) -> TransactionalRecords:
        if not hasattr(self._records, "finish_within"):
            raise PolicyMisused(
                "the keys are not kept in PostgreSQL, so none can be completed in a transaction"
            )
        # Structural: the one method was looked for, the other is its twin.
        transactional: Any = self._records
        found: TransactionalRecords = transactional
        return found


def _check(held: bool) -> None:  # noqa: FBT001  It is what a store said.
    if not held:
        raise AttemptSuperseded("the lease of this attempt ended, and another one has begun")


_current: ContextVar[Attempt | None] = ContextVar("mainstay_attempt", default=None)
enter_attempt = _current.set
leave_attempt = _current.reset


def idempotency() -> Attempt | None:
    """Return the attempt whose request is answered here, or None where it carries no key."""
    return _current.get()
