"""What a policy costs in clients of stores: ``python bench/stores.py [--calls 300] [--json]``.

Real servers on loopback: PostgreSQL, Valkey, gRPC; and SQLite in a file. The bare client and the
client with a policy (bulkhead, retry, breaker, deadline) take turns in each round; the median
counts, as µs a call, and as a ratio within the same run. One caller, so that latency is measured
and not the server. Bare clients keep their own defaults.
"""

import argparse
import asyncio
import json
import statistics
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.contract.stores.servers import Grpc, Postgres, Server, Valkey

from mainstay import Breaker, Bulkhead, Deadline, Policy, Retry
from mainstay.core.clock import SYSTEM_CLOCK
from mainstay.service.outbound.adapters.databases import async_sqlalchemy_engine, sqlalchemy_engine
from mainstay.service.outbound.adapters.grpc_clients import async_grpc_channel, grpc_channel
from mainstay.service.outbound.adapters.redis_clients import (
    async_redis_client,
    async_valkey_client,
    redis_client,
    valkey_client,
)

ROUNDS = 15

Job = Callable[[int], None]


def policy() -> Policy:
    return Policy(
        name="store",
        bulkhead=Bulkhead(limit=20),
        retry=Retry(),
        breaker=Breaker(),
        deadline=Deadline("5s"),
    )


@contextmanager
def running(server: Server) -> Iterator[Server]:
    try:
        server.start()
        yield server
    finally:
        server.close()


def gets(client: Any) -> Job:
    def run(calls: int) -> None:
        for _ in range(calls):
            client.get("a")

    return run


def async_gets(client: Any, runner: asyncio.Runner) -> Job:
    async def all_of(calls: int) -> None:
        for _ in range(calls):
            await client.get("a")

    return lambda calls: runner.run(all_of(calls))


def pipelines(client: Any) -> Job:
    def run(calls: int) -> None:
        for _ in range(calls):
            client.pipeline().get("a").get("b").get("c").execute()

    return run


def statements(engine: Any) -> Job:
    from sqlalchemy import text

    query = text("select 1")

    def run(calls: int) -> None:
        with engine.connect() as connection:
            for _ in range(calls):
                connection.execute(query).scalar()

    return run


def checkouts(engine: Any) -> Job:
    from sqlalchemy import text

    query = text("select 1")

    def run(calls: int) -> None:
        for _ in range(calls):
            with engine.connect() as connection:
                connection.execute(query).scalar()

    return run


def echoes(channel: Any) -> Job:
    echo = channel.unary_unary("/shop.Test/Echo")

    def run(calls: int) -> None:
        for _ in range(calls):
            echo(b"1", timeout=5)

    return run


def async_echoes(channel: Any, runner: asyncio.Runner) -> Job:
    echo = channel.unary_unary("/shop.Test/Echo")

    async def all_of(calls: int) -> None:
        for _ in range(calls):
            await echo(b"1", timeout=5)

    return lambda calls: runner.run(all_of(calls))


def valkey_jobs(url: str, runner: asyncio.Runner) -> dict[str, tuple[Job, Job]]:
    import redis
    import redis.asyncio
    import valkey
    import valkey.asyncio

    theirs = url.replace("redis://", "valkey://")
    bare, ours = redis.Redis.from_url(url), redis_client(policy(), url)
    bare.set("a", "1")
    return {
        "redis-py, GET": (gets(bare), gets(ours)),
        "redis-py, pipeline of 3": (pipelines(bare), pipelines(ours)),
        "redis-py asyncio, GET": (
            async_gets(redis.asyncio.Redis.from_url(url, socket_timeout=2), runner),
            async_gets(async_redis_client(policy(), url), runner),
        ),
        "valkey-py, GET": (
            gets(valkey.Valkey.from_url(theirs)),
            gets(valkey_client(policy(), url)),
        ),
        "valkey-py asyncio, GET": (
            async_gets(valkey.asyncio.Valkey.from_url(theirs, socket_timeout=2), runner),
            async_gets(async_valkey_client(policy(), url), runner),
        ),
    }


def database_jobs(url: str, name: str) -> dict[str, tuple[Job, Job]]:
    from sqlalchemy import create_engine

    bare = create_engine(url, pool_pre_ping=True)
    ours = sqlalchemy_engine(policy(), url)
    return {
        f"SQLAlchemy, {name}, statement": (statements(bare), statements(ours)),
        f"SQLAlchemy, {name}, checkout and statement": (checkouts(bare), checkouts(ours)),
    }


def async_statements(engine: Any, runner: asyncio.Runner) -> Job:
    from sqlalchemy import text

    query = text("select 1")

    async def all_of(calls: int) -> None:
        async with engine.connect() as connection:
            for _ in range(calls):
                (await connection.execute(query)).scalar()

    return lambda calls: runner.run(all_of(calls))


def async_checkouts(engine: Any, runner: asyncio.Runner) -> Job:
    from sqlalchemy import text

    query = text("select 1")

    async def all_of(calls: int) -> None:
        for _ in range(calls):
            async with engine.connect() as connection:
                (await connection.execute(query)).scalar()

    return lambda calls: runner.run(all_of(calls))


def async_database_jobs(url: str, runner: asyncio.Runner) -> dict[str, tuple[Job, Job]]:
    from sqlalchemy.ext.asyncio import create_async_engine

    bare = create_async_engine(url, pool_pre_ping=True)
    ours = async_sqlalchemy_engine(policy(), url)
    return {
        "SQLAlchemy asyncio, PostgreSQL, statement": (
            async_statements(bare, runner),
            async_statements(ours, runner),
        ),
        "SQLAlchemy asyncio, PostgreSQL, checkout and statement": (
            async_checkouts(bare, runner),
            async_checkouts(ours, runner),
        ),
    }


def grpc_jobs(target: str, runner: asyncio.Runner) -> dict[str, tuple[Job, Job]]:
    import grpc  # type: ignore[import-untyped]  # It ships no types.

    async def channels() -> tuple[Any, Any]:
        return grpc.aio.insecure_channel(target), async_grpc_channel(policy(), target)

    bare, ours = runner.run(channels())
    return {
        "gRPC, unary": (
            echoes(grpc.insecure_channel(target)),
            echoes(grpc_channel(policy(), target)),
        ),
        "gRPC asyncio, unary": (async_echoes(bare, runner), async_echoes(ours, runner)),
    }


def measure(jobs: dict[str, tuple[Job, Job]], calls: int) -> dict[str, dict[str, float]]:
    """Return µs a call of the bare client and with the policy, and their ratio."""
    taken: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in jobs}
    for number in range(ROUNDS + 1):
        for name, pair in jobs.items():
            for job, times in zip(pair, taken[name], strict=True):
                began_s = SYSTEM_CLOCK.monotonic_s()
                job(calls)
                if number:  # The first round opens connections.
                    times.append((SYSTEM_CLOCK.monotonic_s() - began_s) / calls * 1e6)
    rows = {}
    for name, (bare, ours) in taken.items():
        bare_us, ours_us = statistics.median(bare), statistics.median(ours)
        rows[name] = {"bare_us": bare_us, "policy_us": ours_us, "ratio": ours_us / bare_us}
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    runner = asyncio.Runner()
    with running(Valkey()) as cache, running(Postgres()) as database, running(Grpc()) as rpc:
        assert isinstance(cache, Valkey)
        assert isinstance(database, Postgres)
        assert isinstance(rpc, Grpc)
        jobs = {
            **valkey_jobs(cache.url, runner),
            **database_jobs(database.url, "PostgreSQL"),
            **async_database_jobs(database.url, runner),
            **database_jobs(f"sqlite:///{database.folder / 'bench.db'}", "SQLite"),
            **grpc_jobs(rpc.target, runner),
        }
        rows = measure(jobs, options.calls)
    if options.json:
        print(json.dumps(rows, indent=2))
        return
    width = max(map(len, rows))
    print(f"{'':{width}}  bare µs  policy µs  more µs  ratio")
    for name, row in rows.items():
        more_us = row["policy_us"] - row["bare_us"]
        print(
            f"{name:{width}}  {row['bare_us']:7.0f}  {row['policy_us']:9.0f}  {more_us:7.0f}  "
            f"{row['ratio']:5.2f}"
        )


if __name__ == "__main__":
    main()
