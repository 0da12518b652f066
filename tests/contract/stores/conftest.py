"""The servers, each started once, and clients that are closed at the end of their test."""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest
from tests.contract.stores.drivers import DRIVERS, Driver
from tests.contract.stores.servers import Grpc, PartNotFound, Postgres, Server, Valkey, until

from mainstay import Policy
from mainstay.testing import Recorder

S = TypeVar("S", bound=Server)

Connect = Callable[[Policy], Driver[Any]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/contract/stores/" in str(item.path):
            item.add_marker(pytest.mark.system)


def started(make: Callable[[], S]) -> Iterator[S]:
    try:
        server = make()
    except PartNotFound as error:
        pytest.skip(str(error))
    try:
        try:
            server.start()
        except PartNotFound as error:
            pytest.skip(str(error))
        yield server
    finally:
        server.close()


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
