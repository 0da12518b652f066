"""Redis clients of both libraries, under one policy."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.contract.stores.servers import Valkey

from mainstay import Breaker, Bulkhead, Policy, Retry
from mainstay.service.outbound.adapters import redis_clients
from mainstay.testing import Recorder

LIBRARIES = ["redis", "valkey"]


@pytest.fixture
def policy(recorder: Recorder) -> Policy:
    one = Policy(
        name="cache",
        bulkhead=Bulkhead(limit=2),
        breaker=Breaker(failures=50),
        retry=Retry(backoff=(0.001, 0.002), budget=None),
    )
    one.events.add(recorder)
    return one


@pytest.fixture(params=LIBRARIES)
def library(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def client(library: str, policy: Policy, valkey: Valkey) -> Iterator[Any]:
    made = getattr(redis_clients, f"{library}_client")(policy, valkey.url, decode_responses=True)
    made.flushall()
    yield made
    made.close()


@asynccontextmanager
async def opened(library: str, policy: Policy, valkey: Valkey) -> AsyncIterator[Any]:
    make = getattr(redis_clients, f"async_{library}_client")
    made = make(policy, valkey.url, decode_responses=True)
    await made.flushall()
    yield made
    await made.aclose()
