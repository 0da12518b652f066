"""What asynchronous engines keep beside what both kinds do: interruptions leave nothing behind."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Generator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine
from tests.contract.stores.servers import LONG_S, Postgres

from mainstay import Bulkhead, Policy, deadline
from mainstay.core.clock import SYSTEM_CLOCK
from mainstay.core.errors import AttemptTimedOut, DeadlineExceeded, PolicyMisused
from mainstay.service.outbound.adapters.databases import (
    async_in_transaction,
    async_sqlalchemy_engine,
)

POINTS_MAX = 200
"""More awaits than any of the jobs here has."""


@asynccontextmanager
async def engine_on(
    postgres: Postgres, policy: Policy, **options: Any
) -> AsyncIterator[AsyncEngine]:
    engine = async_sqlalchemy_engine(policy, postgres.url, **options)
    try:
        yield engine
    finally:
        await engine.dispose()


async def scalar(engine: AsyncEngine, statement: str) -> Any:
    async with engine.connect() as connection:
        return (await connection.execute(text(statement))).scalar()


async def until(condition: Any) -> None:
    ends_s = SYSTEM_CLOCK.monotonic_s() + LONG_S
    while not condition():
        assert SYSTEM_CLOCK.monotonic_s() < ends_s, "it did not come true in time"
        await asyncio.sleep(0.01)


class CancelledAt:
    """Awaits a coroutine, and cancels its task at the nth time that it waits."""

    def __init__(self, job: Coroutine[Any, Any, Any], point: int) -> None:
        self.job = job
        self.left = point
        self.reached = False

    def __await__(self) -> Generator[Any, Any, Any]:
        wait = self.job.__await__()
        step, said = wait.send, None
        while True:
            try:
                waiting_for = step(said)
            except StopIteration as done:
                return done.value
            self.left -= 1
            if self.left == 0:
                self.reached = True
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
            try:
                said = yield waiting_for
                step = wait.send
            except BaseException as error:  # noqa: BLE001  It belongs to the coroutine.
                said, step = error, wait.throw


async def test_a_cancellation_at_every_await_gives_all_back(postgres: Postgres) -> None:
    """The place, and the connection: clean, or closed. What was begun is undone."""
    policy = Policy(name="orders", bulkhead=Bulkhead(limit=1))
    async with engine_on(postgres, policy) as engine:
        await scalar(engine, "select 1")
        async with engine.begin() as connection:
            await connection.execute(text("drop table if exists written"))
            await connection.execute(text("create table written (n integer)"))

        async def job() -> None:
            async with engine.begin() as connection:
                await connection.execute(text("insert into written values (1)"))
                await connection.execute(text("select pg_sleep(0.001)"))

        points = committed = 0
        for point in range(1, POINTS_MAX):
            cut = CancelledAt(job(), point)
            try:
                await asyncio.create_task(awaited(cut))
                committed += 1
            except asyncio.CancelledError:
                pass
            # SQLAlchemy closes a connection in a task of its own, so that this can't be cut off.
            await until(lambda: policy.stats().in_flight == 0)
            pool: Any = engine.pool
            assert pool.checkedout() == 0
            assert await scalar(engine, "select 5") == 5
            if not cut.reached:
                break
            points += 1
        assert 5 <= points < POINTS_MAX - 1
        # A cancellation in the last await, that of closing, comes after the commit.
        assert committed <= await scalar(engine, "select count(*) from written") <= committed + 5


async def awaited(job: CancelledAt) -> Any:
    return await job


@pytest.mark.usefixtures("patience")
async def test_a_cancelled_statement_is_stopped_at_the_server(postgres: Postgres) -> None:
    policy = Policy(name="orders", bulkhead=Bulkhead(limit=2))
    # What other tests left running, on a server that could not be told, is not meant.
    sleep = f"select pg_sleep(30), '{uuid4()}'"
    known = "select count(*) from pg_stat_activity where state = 'active' and query = :sleep"
    left = text(known).bindparams(sleep=sleep)
    async with engine_on(postgres, policy) as engine:
        task = asyncio.create_task(scalar(engine, sleep))
        async with engine.connect() as connection:
            while not (await connection.execute(left)).scalar():
                await connection.rollback()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert policy.stats().in_flight == 0
        async with engine.connect() as connection:
            assert (await connection.execute(left)).scalar() == 0


@pytest.mark.usefixtures("patience")
async def test_an_interrupted_statement_keeps_its_connection(postgres: Postgres) -> None:
    """By the engine's bound, by a deadline around it, and by who called: the same connection."""
    policy = Policy(name="orders", bulkhead=Bulkhead(limit=1))
    async with engine_on(postgres, policy, statement=0.2) as engine, engine.connect() as connection:
        raw = await connection.get_raw_connection()
        first = raw.driver_connection
        sleep = text("select pg_sleep(30)")
        with pytest.raises(AttemptTimedOut):
            await connection.execute(sleep)
        await connection.rollback()
        with pytest.raises(DeadlineExceeded):
            async with deadline(0.05):
                await connection.execute(sleep)
        await connection.rollback()
        task = asyncio.create_task(connection.execute(sleep))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await connection.rollback()
        assert (await connection.execute(text("select 7"))).scalar() == 7
        raw = await connection.get_raw_connection()
        assert raw.driver_connection is first


async def test_nothing_of_an_interrupted_statement_reaches_the_next_caller(
    postgres: Postgres,
) -> None:
    policy = Policy(name="orders", bulkhead=Bulkhead(limit=1))
    async with engine_on(postgres, policy) as engine:
        for number in range(20):
            with pytest.raises(DeadlineExceeded):
                async with deadline(0.02):
                    await scalar(engine, "select 'theirs', pg_sleep(30)")
            assert await scalar(engine, f"select {number}") == number


async def test_a_server_that_stands_still_holds_up_no_cancellation(postgres: Postgres) -> None:
    policy = Policy(name="orders", bulkhead=Bulkhead(limit=1))
    async with engine_on(postgres, policy) as engine:
        await scalar(engine, "select 1")
        task = asyncio.create_task(scalar(engine, "select pg_sleep(30)"))
        await until(lambda: policy.stats().in_flight == 1)
        await asyncio.sleep(0.05)
        postgres.pause()
        try:
            began_s = SYSTEM_CLOCK.monotonic_s()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert SYSTEM_CLOCK.monotonic_s() - began_s < 5
            await until(lambda: policy.stats().in_flight == 0)
        finally:
            postgres.resume()
        assert await scalar(engine, "select 1") == 1


async def test_a_hundred_tasks_share_four_connections(postgres: Postgres) -> None:
    policy = Policy(name="orders", bulkhead=Bulkhead(limit=4, queue=100, wait=LONG_S))
    async with engine_on(postgres, policy) as engine:
        found = await asyncio.gather(*(scalar(engine, f"select {n}") for n in range(100)))
        assert found == list(range(100))
        pool: Any = engine.pool
        assert (pool.checkedout(), policy.stats().in_flight) == (0, 0)
        assert pool.checkedin() <= 4


async def test_a_stream_is_cut_by_the_deadline_around_it(postgres: Postgres) -> None:
    policy = Policy(name="orders", bulkhead=Bulkhead(limit=1))
    rows = text("select pg_sleep(0.05) from generate_series(1, 1000)")
    seen = 0
    async with engine_on(postgres, policy) as engine:
        with pytest.raises(DeadlineExceeded):  # noqa: PT012  One by one.
            async with deadline(0.7), engine.connect() as connection:
                fetched = connection.execution_options(yield_per=1)
                async for _ in await (await fetched).stream(rows):
                    seen += 1
        assert seen >= 1
        await until(lambda: policy.stats().in_flight == 0)
        assert await scalar(engine, "select 1") == 1


async def test_a_session_is_cut_as_a_connection_is(postgres: Postgres) -> None:
    policy = Policy(name="orders", bulkhead=Bulkhead(limit=1))
    async with engine_on(postgres, policy) as engine:
        async with AsyncSession(engine) as session:
            with deadline(0.1), pytest.raises(DeadlineExceeded):
                await session.execute(text("select pg_sleep(30)"))
            await session.rollback()
            assert await session.scalar(text("select 3")) == 3
        assert policy.stats().in_flight == 0


async def test_a_unit_of_work_is_a_coroutine_function(postgres: Postgres) -> None:
    policy = Policy(name="orders", bulkhead=Bulkhead(limit=1))

    async def work(connection: AsyncConnection) -> Any:
        return (await connection.execute(text("select 9"))).scalar()

    async with engine_on(postgres, policy) as engine:
        assert await async_in_transaction(engine, work) == 9
    bare = create_async_engine(postgres.url)
    with pytest.raises(PolicyMisused, match="async_sqlalchemy_engine"):
        await async_in_transaction(bare, work)


async def test_what_failed_is_sqlalchemys_error_too(postgres: Postgres) -> None:
    policy = Policy(name="orders", bulkhead=Bulkhead(limit=1))
    async with engine_on(postgres, policy, statement=0.05) as engine:
        with pytest.raises(OperationalError) as caught:
            await scalar(engine, "select pg_sleep(30)")
        assert isinstance(caught.value, AttemptTimedOut)
