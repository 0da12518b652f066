"""Every store of records, each on a server of its own that is started once."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any
from uuid import uuid4

import pytest
from tests.contract.stores.conftest import started
from tests.contract.stores.servers import Postgres
from tests.contract.stores.servers import Valkey as ValkeyServer

from mainstay.service.inbound.idempotency.memory import MemoryRecords
from mainstay.service.inbound.idempotency.records import Records
from mainstay.state.idempotency import PostgresRecords, ValkeyRecords
from mainstay.state.valkey import Valkey

Closers = list[Callable[[], Awaitable[None]]]
Run = Callable[[Coroutine[Any, Any, Any]], Any]

LONG_S = 30.0
"""A busy machine may take so long for an answer; the bounds themselves are tested elsewhere."""


@pytest.fixture
def closers() -> Closers:
    """Return what closes a store's connections of one loop, and all others of it."""
    return []


@pytest.fixture
def run(closers: Closers) -> Run:
    """Return what runs the last part of a test in a loop of its own."""

    async def closing(part: Coroutine[Any, Any, Any]) -> Any:
        try:
            return await part
        finally:
            for close in closers:
                await close()

    return lambda part: asyncio.run(closing(part))


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[ValkeyServer]:
    yield from started(ValkeyServer)


@pytest.fixture
def valkey_records(valkey_server: ValkeyServer, closers: Closers) -> Iterator[Records]:
    client = Valkey(valkey_server.url, timeout_s=LONG_S)
    closers.append(client.aclose)
    yield ValkeyRecords(client)
    client.close()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    yield from started(Postgres)


@pytest.fixture
def postgres_records(postgres_server: Postgres) -> Iterator[Records]:
    records = PostgresRecords(postgres_server.url, timeout_s=LONG_S)
    records.create_table()
    yield records
    records.close()


@pytest.fixture
def memory_records() -> Records:
    return MemoryRecords()


@pytest.fixture(
    params=[
        "memory",
        *(pytest.param(one, marks=pytest.mark.system) for one in ("valkey", "postgres")),
    ]
)
def records(request: pytest.FixtureRequest) -> Records:
    found: Records = request.getfixturevalue(f"{request.param}_records")
    return found


@pytest.fixture
def record() -> str:
    return f"mainstay:shop:idempotency:{uuid4().hex}"
