"""Stores of limits whose clock the test moves: the model in memory, and Valkey."""

from collections.abc import Iterator, Sequence

import pytest
from tests.contract.limits.stores import InMemory, InValkey, Store
from tests.contract.stores.servers import Valkey
from tests.contract.stores.starting import started


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/contract/limits/" in str(item.path):
            item.add_marker(pytest.mark.system)


@pytest.fixture(scope="module")
def server() -> Iterator[Valkey]:
    yield from started(Valkey)


@pytest.fixture(params=["memory", "valkey", "valkey, tasks"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    if request.param == "memory":
        yield InMemory()
        return
    server: Valkey = request.getfixturevalue("server")
    made = InValkey(server.url, tasks=request.param == "valkey, tasks")
    yield made
    made.close()


@pytest.fixture
def stores(server: Valkey) -> Iterator[Sequence[Store]]:
    made = [InValkey(server.url, tasks=False), InValkey(server.url, tasks=True)]
    yield [InMemory(), *made]
    for one in made:
        one.close()
