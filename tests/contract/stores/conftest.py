"""The servers, each started once, and clients that are closed at the end of their test."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from tests.contract.stores.databases import AsyncDatabase, Database, SyncDatabase
from tests.contract.stores.drivers import DRIVERS, Driver
from tests.contract.stores.servers import (
    LONG_S,
    Grpc,
    Postgres,
    Server,
    Valkey,
    until,
)
from tests.contract.stores.starting import started

from mainstay import Breaker, Bulkhead, Policy, Retry
from mainstay.service.outbound.adapters.databases import async_psycopg, psycopg
from mainstay.testing import Recorder

S = TypeVar("S", bound=Server)

Connect = Callable[[Policy], Driver[Any]]

Make = Callable[..., Database]

ENGINES = {
    "postgresql": ("postgres", SyncDatabase),
    "postgresql-async": ("postgres", AsyncDatabase),
    "sqlite": (None, SyncDatabase),
}
"""What engines are tested on; psycopg has both kinds."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/contract/stores/" in str(item.path):
            item.add_marker(pytest.mark.system)


@pytest.fixture(scope="session")
def the_postgres() -> Iterator[Postgres]:
    yield from started(Postgres)


@pytest.fixture(scope="session")
def the_valkey() -> Iterator[Valkey]:
    yield from started(Valkey)


@pytest.fixture(scope="session")
def the_rpc() -> Iterator[Grpc]:
    yield from started(Grpc)


def ready(server: S) -> S:
    """Return a server that answers, whatever the test before did to it."""
    if server._process is None:
        server.start()
    until(server.answers)
    return server


@pytest.fixture
def postgres(the_postgres: Postgres) -> Postgres:
    return ready(the_postgres)


@pytest.fixture
def valkey(the_valkey: Valkey) -> Valkey:
    return ready(the_valkey)


@pytest.fixture
def rpc(the_rpc: Grpc) -> Grpc:
    return ready(the_rpc)


@pytest.fixture(params=list(DRIVERS))
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def server(kind: str, request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(DRIVERS[kind][0])
    return found


@pytest.fixture
def connect(kind: str, server: Server) -> Iterator[Connect]:
    made: list[Driver[Any]] = []

    def make(policy: Policy) -> Driver[Any]:
        driver = DRIVERS[kind][1](policy, server)
        made.append(driver)
        return driver

    yield make
    for driver in made:
        driver.close()


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def orders(recorder: Recorder) -> Policy:
    """A policy as a database has one."""
    one = Policy(
        name="orders",
        bulkhead=Bulkhead(limit=4),
        breaker=Breaker(failures=50),
        retry=Retry(attempts=5, backoff=(0.001, 0.01), jitter="none", budget=None),
    )
    one.events.add(recorder)
    return one


@pytest.fixture(params=list(ENGINES))
def engine_kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def make(engine_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """Makes engines of one kind, on one database."""
    server, kind = ENGINES[engine_kind]
    url = f"sqlite:///{tmp_path / 'orders.db'}"
    if server is not None:
        url = request.getfixturevalue(server).url
    made: list[Database] = []

    def database(policy: Policy, **options: Any) -> Database:
        one: Database = kind(policy, url, **options)
        made.append(one)
        return one

    yield database
    for one in made:
        one.close()


on_threads = pytest.mark.parametrize("engine_kind", ["postgresql", "sqlite"])
on_postgresql = pytest.mark.parametrize("engine_kind", ["postgresql", "postgresql-async"])


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a busy server have its time to stop a statement: else the connection is given up."""
    monkeypatch.setattr(psycopg, "CANCEL_S", LONG_S)
    monkeypatch.setattr(async_psycopg, "CANCEL_S", LONG_S)


@pytest.fixture
def table(make: Make) -> Iterator[None]:
    """A table of orders with a unique name in it."""
    database = make(Policy(name="setup", bulkhead=Bulkhead()))
    with database.begin() as connection:
        connection.execute("drop table if exists orders")
        connection.execute("create table orders (id integer primary key, name text unique)")
    yield
    with database.begin() as connection:
        connection.execute("drop table orders")
