"""psycopg's asynchronous connection: when it is interrupted, it ends cleanly, and in a moment."""

from asyncio import CancelledError
from typing import TYPE_CHECKING, Any, ClassVar

import psycopg
from psycopg import errors, waiting
from psycopg.pq import TransactionStatus

from mainstay.core.deadline import DeadlineRegion, detach
from mainstay.core.errors import DeadlineExceeded
from mainstay.service.outbound.adapters.databases.psycopg import (
    CANCEL_S,
    LOOK_S,
    TIDY_S,
    StatementCut,
)

if TYPE_CHECKING:
    from mainstay.service.outbound.adapters.databases.async_gate import AsyncGate


class BoundedConnection(psycopg.AsyncConnection[Any]):
    """A connection that asks the server to stop when the task is interrupted.

    The server stops what it does, and the connection can be used again; where the server does not
    answer either, or the task is interrupted once more, the connection is closed.

    Attributes:
        gate: The engine's, through which transactions end.
    """

    gate: "ClassVar[AsyncGate]"

    async def wait(self, gen: Any, interval: float = LOOK_S, timeout: float | None = None) -> Any:  # noqa: ASYNC109  psycopg's form.
        """Wait for the server. Any: psycopg's own."""
        # Older versions know no timeout; it is only handed on where psycopg gives one.
        options = {} if timeout is None else {"timeout": timeout}
        try:
            return await waiting.wait_async(gen, self.pgconn.socket, interval=interval, **options)
        except CancelledError:
            # psycopg itself would wait for the server for ten seconds.
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                await self._stop(gen)
            raise

    async def commit(self) -> None:
        """Commit, as a call of the policy."""
        await self.gate.run(super().commit)

    async def rollback(self) -> None:
        """Roll back, even when the deadline has passed.

        Raises:
            StatementCut: The server did not answer; the connection is closed.
        """
        try:
            with detach():
                async with DeadlineRegion(TIDY_S, self.gate.policy.plan.clock):
                    await super().rollback()
        except DeadlineExceeded as error:
            raise StatementCut("the server did not answer to a rollback") from error

    async def _stop(self, gen: Any) -> None:
        stopped = False
        try:
            with detach():
                async with DeadlineRegion(CANCEL_S, self.gate.policy.plan.clock):
                    await self.cancel_safe(timeout=CANCEL_S)
                    await waiting.wait_async(gen, self.pgconn.socket, interval=LOOK_S)
            stopped = True
        except errors.QueryCanceled:
            stopped = True
        except (psycopg.Error, DeadlineExceeded):
            pass  # It is given up below.
        finally:
            if not stopped:
                self.pgconn.finish()
