"""Every store of sessions, each on a server of its own that is started once."""

from collections.abc import Iterator

import pytest
from tests.contract.conftest import LONG_S, Closers
from tests.contract.stores.servers import Valkey as ValkeyServer

from mainstay.service.inbound.sessions.memory import MemorySessions
from mainstay.service.inbound.sessions.records import SessionRecords
from mainstay.state.sessions import ValkeySessions
from mainstay.state.valkey import Valkey


@pytest.fixture
def valkey_sessions(valkey_server: ValkeyServer, closers: Closers) -> Iterator[SessionRecords]:
    client = Valkey(valkey_server.url, timeout_s=LONG_S)
    closers.append(client.aclose)
    yield ValkeySessions(client)
    client.close()


@pytest.fixture
def memory_sessions() -> SessionRecords:
    return MemorySessions()


@pytest.fixture(params=["memory", pytest.param("valkey", marks=pytest.mark.system)])
def records(request: pytest.FixtureRequest) -> SessionRecords:
    found: SessionRecords = request.getfixturevalue(f"{request.param}_sessions")
    return found
