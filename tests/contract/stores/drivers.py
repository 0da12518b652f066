"""Each client as the laws see it: the same few jobs, whatever it speaks.

A job of an asynchronous client is a coroutine function; ``run`` and ``many`` hide the difference.
"""

import asyncio
import inspect
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from contextvars import copy_context
from typing import Any, Generic, TypeVar
from uuid import uuid4

from tests.contract.stores.servers import Grpc, Postgres, Server, Valkey

from mainstay import Policy, deadline

S = TypeVar("S", bound=Server)

Job = Callable[..., Any]


class Driver(ABC, Generic[S]):
    """One client with a policy inside.

    Attributes:
        answer: What the client raises for an answer that is an error.
    """

    answer: type[Exception]

    def __init__(self, policy: Policy, server: S) -> None:
        self.policy = policy
        self.server = server
        self.runner = asyncio.Runner()
        self.made = self.open()

    def open(self) -> Any:
        return self.client()

    @abstractmethod
    def client(self) -> Any:
        """Make the client."""

    ping: Job
    """Asks for nothing much; may be repeated."""

    slow: Job
    """Takes so many seconds; must not be repeated."""

    wrong: Job
    """Gets an answer that the client raises."""

    count: Job
    """Counts one up and returns the count; must not be repeated."""

    def run(self, job: Job, *args: object, within_s: float | None = None) -> Any:
        """Do a job, within a deadline that can't interrupt anything by itself."""
        region = nullcontext() if within_s is None else deadline(within_s)
        if not inspect.iscoroutinefunction(job):
            with region:
                return job(*args)

        async def within() -> Any:
            with region:
                return await job(*args)

        return self.runner.run(within())

    def many(self, job: Job, number: int) -> list[Any]:
        """Do a job so many times at once; return results and errors."""
        if inspect.iscoroutinefunction(job):

            async def together() -> list[Any]:
                return await asyncio.gather(*(job() for _ in range(number)), return_exceptions=True)

            return self.runner.run(together())
        barrier = threading.Barrier(number)

        def one() -> Any:
            barrier.wait(60)
            return job()

        with ThreadPoolExecutor(number) as pool:
            futures = [pool.submit(copy_context().run, one) for _ in range(number)]
            return [future.exception() or future.result() for future in futures]

    def most_at_once(self) -> int | None:
        """Return how many connections, or calls, the server had at once; None: it can't tell."""
        return None

    def close(self) -> None:
        if inspect.iscoroutinefunction(self.shut):
            self.runner.run(self.shut())
        else:
            self.shut()
        self.runner.close()

    def shut(self) -> Any:
        self.made.close()


class Redis(Driver[Valkey]):
    library = "redis"

    def client(self) -> Any:
        from mainstay.service.outbound.adapters import redis_clients

        self.answer = __import__(self.library).exceptions.ResponseError
        self.key = f"k-{uuid4()}"
        make = getattr(redis_clients, f"{self.library}_client")
        return make(self.policy, self.server.url, connect="5s", read="10s")

    def ping(self) -> Any:
        return self.made.ping()

    def slow(self, seconds: float) -> Any:
        # Pauses every client: not even the connection's greeting is answered.
        return self.made.execute_command("DEBUG", "SLEEP", str(seconds))

    def wrong(self) -> Any:
        return self.made.execute_command("GET", "too", "many", "words")

    def count(self) -> Any:
        return self.made.incr(self.key)

    def most_at_once(self) -> int | None:
        return len(self.made.connection_pool._in_use_connections) + len(
            self.made.connection_pool._available_connections
        )


class ValkeyPy(Redis):
    library = "valkey"


class AsyncRedis(Driver[Valkey]):
    library = "redis"

    def client(self) -> Any:
        from mainstay.service.outbound.adapters import redis_clients

        self.answer = __import__(self.library).exceptions.ResponseError
        self.key = f"k-{uuid4()}"
        make = getattr(redis_clients, f"async_{self.library}_client")
        return make(self.policy, self.server.url, connect="5s", read="10s")

    async def ping(self) -> Any:
        return await self.made.ping()

    async def slow(self, seconds: float) -> Any:
        return await self.made.execute_command("DEBUG", "SLEEP", str(seconds))

    async def wrong(self) -> Any:
        return await self.made.execute_command("GET", "too", "many", "words")

    async def count(self) -> Any:
        return await self.made.incr(self.key)

    async def shut(self) -> None:
        await self.made.aclose()

    def most_at_once(self) -> int | None:
        return len(self.made.connection_pool._in_use_connections) + len(
            self.made.connection_pool._available_connections
        )


class AsyncValkeyPy(AsyncRedis):
    library = "valkey"


class Sql(Driver[Postgres]):
    def client(self) -> Any:
        from sqlalchemy import text
        from sqlalchemy.exc import ProgrammingError

        from mainstay.service.outbound.adapters.databases import sqlalchemy_engine

        self.answer = ProgrammingError
        self.text = text
        self.name = f"c_{uuid4().hex}"
        return sqlalchemy_engine(self.policy, self.server.url, connect="5s", statement="10s")

    def scalar(self, statement: str) -> Any:
        with self.made.connect() as connection:
            return connection.execute(self.text(statement)).scalar()

    def ping(self) -> Any:
        return self.scalar("select 1")

    def slow(self, seconds: float) -> Any:
        return self.scalar(f"select pg_sleep({seconds})")

    def wrong(self) -> Any:
        return self.scalar("select from from")

    def count(self) -> Any:
        with self.made.begin() as connection:
            connection.execute(self.text(f"create sequence if not exists {self.name}"))
            return connection.execute(self.text(f"select nextval('{self.name}')")).scalar()

    def shut(self) -> None:
        self.made.dispose()

    def most_at_once(self) -> int | None:
        pool = self.made.pool
        return int(pool.checkedin() + pool.checkedout())


class AsyncSql(Driver[Postgres]):
    def client(self) -> Any:
        from sqlalchemy import text
        from sqlalchemy.exc import ProgrammingError

        from mainstay.service.outbound.adapters.databases import async_sqlalchemy_engine

        self.answer = ProgrammingError
        self.text = text
        self.name = f"c_{uuid4().hex}"
        return async_sqlalchemy_engine(self.policy, self.server.url, connect="5s", statement="10s")

    async def scalar(self, statement: str) -> Any:
        async with self.made.connect() as connection:
            return (await connection.execute(self.text(statement))).scalar()

    async def ping(self) -> Any:
        return await self.scalar("select 1")

    async def slow(self, seconds: float) -> Any:
        return await self.scalar(f"select pg_sleep({seconds})")

    async def wrong(self) -> Any:
        return await self.scalar("select from from")

    async def count(self) -> Any:
        async with self.made.begin() as connection:
            await connection.execute(self.text(f"create sequence if not exists {self.name}"))
            found = await connection.execute(self.text(f"select nextval('{self.name}')"))
            return found.scalar()

    async def shut(self) -> None:
        await self.made.dispose()

    def most_at_once(self) -> int | None:
        pool = self.made.pool
        return int(pool.checkedin() + pool.checkedout())


OWN_CONNECTIONS = (("grpc.use_local_subchannel_pool", 1),)
"""Channels of one process share their connections, and the pause after one that was refused: after
a test that killed the server, the next one's fresh channel would still be in that pause."""


class Rpc(Driver[Grpc]):
    def client(self) -> Any:
        import grpc  # type: ignore[import-untyped]  # It ships no types.

        from mainstay.service.outbound.adapters.grpc_clients import grpc_channel

        self.answer = grpc.RpcError
        self.own = uuid4().bytes
        return grpc_channel(
            self.policy,
            self.server.target,
            timeout="10s",
            repeatable=("/shop.Test/Echo",),
            options=OWN_CONNECTIONS,
        )

    def ask(self, method: str, request: bytes) -> Any:
        return self.made.unary_unary(f"/shop.Test/{method}")(request)

    def ping(self) -> Any:
        return self.ask("Echo", b"ping")

    def slow(self, seconds: float) -> Any:
        return self.ask("Slow", str(seconds).encode())

    def wrong(self) -> Any:
        return self.ask("Abort", b"NOT_FOUND,0,")

    def count(self) -> Any:
        return int(self.ask("Count", self.own))


class AsyncRpc(Driver[Grpc]):
    def client(self) -> Any:
        import grpc

        self.answer = grpc.RpcError
        self.own = uuid4().bytes
        return self.runner.run(self.channel())

    async def channel(self) -> Any:
        from mainstay.service.outbound.adapters.grpc_clients import async_grpc_channel

        return async_grpc_channel(
            self.policy,
            self.server.target,
            timeout="10s",
            repeatable=("/shop.Test/Echo",),
            options=OWN_CONNECTIONS,
        )

    async def ask(self, method: str, request: bytes) -> Any:
        return await self.made.unary_unary(f"/shop.Test/{method}")(request)

    async def ping(self) -> Any:
        return await self.ask("Echo", b"ping")

    async def slow(self, seconds: float) -> Any:
        return await self.ask("Slow", str(seconds).encode())

    async def wrong(self) -> Any:
        return await self.ask("Abort", b"NOT_FOUND,0,")

    async def count(self) -> Any:
        return int(await self.ask("Count", self.own))

    async def shut(self) -> None:
        await self.made.close()


DRIVERS: dict[str, tuple[str, type[Driver[Any]]]] = {
    "redis": ("valkey", Redis),
    "redis-async": ("valkey", AsyncRedis),
    "valkey": ("valkey", ValkeyPy),
    "valkey-async": ("valkey", AsyncValkeyPy),
    "sqlalchemy": ("postgres", Sql),
    "sqlalchemy-async": ("postgres", AsyncSql),
    "grpc": ("rpc", Rpc),
    "grpc-async": ("rpc", AsyncRpc),
}
