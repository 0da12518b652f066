"""A few connections of psycopg in a thread of their own: for tasks and threads alike, and bounded.

One loop runs in that thread. Whoever asks, in whatever loop or thread, hands in what is to be said
and waits for as long as the bound allows, whatever the server does.
"""

import asyncio
import os
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TookTooLong
from contextlib import suppress
from typing import Any

import psycopg
from psycopg import waiting

from mainstay.core.clock import Clock
from mainstay.core.errors import StoreRefused, StoreUnavailable

Row = tuple[Any, ...]
"""Any: what a statement selects."""
Said = tuple[int, list[Row]]
"""How many rows a statement touched or found, and those that it found."""

PAUSE_S = 0.5
"""So long nobody asks a server that could not be reached."""
LOCKED = "55P03"
"""SQLSTATE: another transaction holds the row."""
_STOPPED = frozenset({LOCKED, "57014"})
_GRACE_S = 0.05
"""What a thread may take to say that the bound is reached."""


class _Connection(psycopg.AsyncConnection[Any]):
    """A connection that is given up when the task is interrupted.

    psycopg itself would ask the server to stop, and wait for that. Any: rows of any shape.
    """

    async def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:  # noqa: ASYNC109  psycopg's form.
        """Wait for the server. Any: psycopg's own."""
        # Older versions know no timeout; it is only handed on where psycopg gives one.
        options = {} if timeout is None else {"timeout": timeout}
        try:
            return await waiting.wait_async(gen, self.pgconn.socket, interval=interval, **options)
        except asyncio.CancelledError:
            self.pgconn.finish()
            raise


class Connections:
    """Says statements to a PostgreSQL server. Safe to share between tasks, threads and loops.

    Args:
        conninfo: As libpq has it, a URL mostly.
        label: The server's name in errors, without any secret.
        timeout_s: Of each statement, and of what is needed before it.
        connections_max: At once.
        waiting_max: So many callers wait; one more is sent away at once.
        clock: For the pause after a failure.
    """

    def __init__(
        self,
        conninfo: str,
        *,
        label: str,
        timeout_s: float,
        connections_max: int,
        waiting_max: int,
        clock: Clock,
    ) -> None:
        self._conninfo = conninfo
        self._label = label
        self._timeout_s = timeout_s
        self._connections_max = connections_max
        self._waiting_max = waiting_max
        self._now_s = clock.monotonic_s
        self._forget()
        # Neither a thread nor a connection outlives a fork.
        os.register_at_fork(after_in_child=self._forget)

    def ask(self, statement: str, values: Mapping[str, Any]) -> Said:
        """Say a statement in a transaction of its own. Any: what PostgreSQL takes.

        Raises:
            StoreUnavailable: The server did not answer in time, or could not lately.
            StoreRefused: It refused the statement.
        """
        future = self._submit(statement, values)
        try:
            return future.result(self._timeout_s + _GRACE_S)
        except TookTooLong:
            future.cancel()
            raise self._unavailable("did not answer in time", begun=True) from None

    async def aask(self, statement: str, values: Mapping[str, Any]) -> Said:
        """As ``ask``, for tasks. Whether the statement of a cancelled one was done is not known."""
        return await asyncio.wrap_future(self._submit(statement, values))

    def tell(self, statement: str) -> None:
        """Say a statement whose outcome nobody waits for."""
        with suppress(StoreUnavailable):
            self._submit(statement, {})

    def close(self) -> None:
        """Close the connections; what is asked afterwards is refused."""
        with self._lock:
            loop, thread, self._closed = self._loop, self._thread, True
        if loop is not None and thread is not None:
            asyncio.run_coroutine_threadsafe(self._close(), loop).result(self._timeout_s + 1)
            loop.call_soon_threadsafe(loop.stop)
            thread.join(self._timeout_s + 1)

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._idle: list[_Connection] = []
        self._places: asyncio.Semaphore | None = None
        self._room = threading.Semaphore(self._waiting_max)
        self._away_until_s = 0.0
        self._closed = False

    def _submit(self, statement: str, values: Mapping[str, Any]) -> "Future[Said]":
        if self._now_s() < self._away_until_s:
            raise self._unavailable("could not be reached", begun=False)
        loop = self._loop or self._started()
        if not self._room.acquire(blocking=False):
            raise self._unavailable("has too many callers waiting", begun=False)
        future = asyncio.run_coroutine_threadsafe(self._bounded(statement, values), loop)
        # In each case, also where it was cancelled before it began.
        future.add_done_callback(lambda _: self._room.release())
        return future

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._closed:
                raise self._unavailable("was closed", begun=False)
            if self._loop is None:
                loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=_run, args=(loop,), name="mainstay-postgres", daemon=True
                )
                self._thread.start()
                self._places = asyncio.Semaphore(self._connections_max)
                self._loop = loop
            return self._loop

    async def _bounded(self, statement: str, values: Mapping[str, Any]) -> Said:
        begun = False
        connection: _Connection | None = None
        assert self._places is not None, "made with the loop"
        try:
            async with asyncio.timeout(self._timeout_s), self._places:
                connection = self._idle.pop() if self._idle else await self._connected()
                begun = True
                cursor = await connection.execute(statement, values)
                said = (cursor.rowcount, await cursor.fetchall() if cursor.description else [])
        except psycopg.OperationalError as error:
            raise self._failed(error, begun=begun) from None
        except psycopg.Error as error:
            raise StoreRefused(
                f"{self._label} refused a statement: {type(error).__name__}",
                code=error.sqlstate or "",
            ) from None
        except TimeoutError:
            self._away_until_s = self._now_s() + PAUSE_S
            raise self._unavailable("did not answer in time", begun=begun) from None
        finally:
            if connection is not None:
                self._give_back(connection)
        return said

    async def _connected(self) -> _Connection:
        # The server's own bound is a little shorter, so that it is the server that stops.
        bound_ms = max(1, int(self._timeout_s * 900))
        options = f"-c statement_timeout={bound_ms} -c lock_timeout={max(1, bound_ms // 2)}"
        return await _Connection.connect(self._conninfo, autocommit=True, options=options)

    def _give_back(self, connection: _Connection) -> None:
        status = connection.pgconn.transaction_status
        if status == psycopg.pq.TransactionStatus.IDLE and not self._closed:
            self._idle.append(connection)
        else:
            connection.pgconn.finish()

    def _failed(self, error: psycopg.OperationalError, *, begun: bool) -> StoreUnavailable:
        if error.sqlstate in _STOPPED:
            # The server is there, and stopped what took too long.
            return StoreRefused(
                f"{self._label} stopped a statement: {type(error).__name__}", code=error.sqlstate
            )
        self._away_until_s = self._now_s() + PAUSE_S
        # Without psycopg's words, which may hold what was in the URL.
        return self._unavailable("could not be reached", begun=begun)

    def _unavailable(self, how: str, *, begun: bool) -> StoreUnavailable:
        return StoreUnavailable(f"{self._label} {how}", begun=begun)

    async def _close(self) -> None:
        idle, self._idle = self._idle, []
        for connection in idle:
            await connection.close()


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        loop.close()
