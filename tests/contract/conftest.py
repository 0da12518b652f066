"""What suites over stores share: one Valkey, and connections closed in the loop that made them."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any

import pytest
from tests.contract.stores.servers import Valkey as ValkeyServer
from tests.contract.stores.starting import started

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
