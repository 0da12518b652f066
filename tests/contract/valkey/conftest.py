"""A server for each module, and a client for each test, closed at its end."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.contract.stores.servers import Valkey as Server
from tests.contract.stores.servers import until
from tests.contract.stores.starting import started
from tests.contract.valkey.askers import ASKERS, Asker

from mainstay.state.valkey import Valkey

Connect = Callable[..., Asker]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/contract/valkey/" in str(item.path):
            item.add_marker(pytest.mark.system)


@pytest.fixture(scope="module")
def the_server() -> Iterator[Server]:
    yield from started(Server)


@pytest.fixture
def server(the_server: Server) -> Server:
    """Return a server that answers, whatever the test before did to it."""
    if the_server._process is None:
        the_server.start()
    until(the_server.answers)
    return the_server


@pytest.fixture(params=list(ASKERS))
def side(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def connect(side: str) -> Iterator[Connect]:
    made: list[Asker] = []

    # Any: the client's own options.
    def make(url: str, **options: Any) -> Asker:
        one = ASKERS[side](Valkey(url, **options))
        made.append(one)
        return one

    yield make
    for one in made:
        one.close()
