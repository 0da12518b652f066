"""Every store of records, each on a server of its own that is started once."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from tests.contract.conftest import LONG_S, Closers
from tests.contract.stores.servers import Postgres
from tests.contract.stores.servers import Valkey as ValkeyServer
from tests.contract.stores.starting import started

from mainstay.service.inbound.idempotency.memory import MemoryRecords
from mainstay.service.inbound.idempotency.records import Records
from mainstay.state.idempotency import PostgresRecords, ValkeyRecords
from mainstay.state.valkey import Valkey


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
