"""Engines of both kinds behind one face, so that one suite says what both keep.

The asynchronous one does each step in an event loop of its own, in the context of the test: what
`with deadline(...)` says there holds.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import copy_context
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from tests.contract.stores.servers import Postgres, until

from mainstay import Policy
from mainstay.service.outbound.adapters.databases import (
    async_in_transaction,
    async_sqlalchemy_engine,
    in_transaction,
    sqlalchemy_engine,
)

R = TypeVar("R")

ENDLESS = "with recursive n(x) as (select 1 union all select x + 1 from n) select count(*) from n"

Step = Callable[[Callable[[Connection], Any]], Any]


class Opened:
    """One connection that is out. Any: what comes back is SQLAlchemy's.

    Args:
        step: Does something with SQLAlchemy's own connection.
    """

    def __init__(self, step: Step) -> None:
        self.step = step

    def execute(self, statement: str) -> Any:
        return self.step(lambda connection: connection.execute(text(statement)))

    def scalar(self, statement: str) -> Any:
        return self.step(lambda connection: connection.execute(text(statement)).scalar())

    def rollback(self) -> None:
        self.step(Connection.rollback)

    def invalidate(self) -> None:
        self.step(Connection.invalidate)

    def detach(self) -> None:
        self.step(Connection.detach)

    def raw(self) -> Any:
        """Return the driver's connection."""
        return self.step(lambda connection: connection.connection.driver_connection)


class Database(ABC):
    """An engine with a policy inside."""

    @property
    @abstractmethod
    def pool(self) -> Any:
        """Return the present pool; there is a new one after `dispose`."""

    @abstractmethod
    def connect(self) -> AbstractContextManager[Opened]:
        """Take a connection out, until the end of the block."""

    @abstractmethod
    def begin(self) -> AbstractContextManager[Opened]:
        """Do the same, within a transaction."""

    @abstractmethod
    def in_transaction(self, work: Callable[[Connection], R], *, idempotent: bool = False) -> R:
        """Run a unit of work."""

    @abstractmethod
    def dispose(self) -> None:
        """Close the connections that are in the pool."""

    def close(self) -> None:
        self.dispose()

    def scalar(self, statement: str) -> Any:
        with self.connect() as connection:
            return connection.scalar(statement)

    def count(self) -> int:
        found = self.scalar("select count(*) from orders")
        assert isinstance(found, int)
        return found


class SyncDatabase(Database):
    def __init__(self, policy: Policy, url: str, **options: Any) -> None:
        self.engine: Engine = sqlalchemy_engine(policy, url, **options)

    @property
    def pool(self) -> Any:
        return self.engine.pool

    @contextmanager
    def connect(self) -> Iterator[Opened]:
        with self.engine.connect() as connection:
            yield Opened(lambda step: step(connection))

    @contextmanager
    def begin(self) -> Iterator[Opened]:
        with self.engine.begin() as connection:
            yield Opened(lambda step: step(connection))

    def in_transaction(self, work: Callable[[Connection], R], *, idempotent: bool = False) -> R:
        return in_transaction(self.engine, work, idempotent=idempotent)

    def dispose(self) -> None:
        self.engine.dispose()


class AsyncDatabase(Database):
    def __init__(self, policy: Policy, url: str, **options: Any) -> None:
        self.runner = asyncio.Runner()
        self.engine: AsyncEngine = async_sqlalchemy_engine(policy, url, **options)

    @property
    def pool(self) -> Any:
        return self.engine.pool

    def run(self, job: Coroutine[Any, Any, R]) -> R:
        return self.runner.run(job, context=copy_context())

    @contextmanager
    def connect(self) -> Iterator[Opened]:
        made = self.run(self.engine.connect().start())
        try:
            yield self._opened(made)
        finally:
            self.run(made.close())

    @contextmanager
    def begin(self) -> Iterator[Opened]:
        with self.connect() as opened:
            yield opened
            opened.step(Connection.commit)

    def in_transaction(self, work: Callable[[Connection], R], *, idempotent: bool = False) -> R:
        async def within(connection: AsyncConnection) -> R:
            return await connection.run_sync(work)

        return self.run(async_in_transaction(self.engine, within, idempotent=idempotent))

    def dispose(self) -> None:
        self.run(self.engine.dispose())

    def close(self) -> None:
        self.dispose()
        self.runner.close()

    def _opened(self, made: AsyncConnection) -> Opened:
        return Opened(lambda step: self.run(made.run_sync(step)))


def end_backend(postgres: Postgres, connection: Connection) -> None:
    """Let the server end a connection, and wait until it has."""
    import psycopg

    pid = connection.execute(text("select pg_backend_pid()")).scalar()
    with psycopg.connect(postgres.conninfo, autocommit=True) as other:
        other.execute("select pg_terminate_backend(%s)", (pid,))

        def gone() -> bool:
            found = other.execute("select 1 from pg_stat_activity where pid = %s", (pid,))
            return found.fetchone() is None

        until(gone)
