"""Valkey killed, hung or started again: sessions are told so in time, and come back."""

from collections.abc import Iterator

import pytest
from tests.contract.stores.servers import Valkey as ValkeyServer
from tests.contract.stores.servers import until
from tests.contract.stores.starting import started
from tests.service.inbound.sessions.drive import Wsgi

from mainstay.core.clock import SYSTEM_CLOCK
from mainstay.service.inbound.sessions.session import Session
from mainstay.state.sessions import ValkeySessions
from mainstay.state.valkey import Valkey

pytestmark = pytest.mark.system

TIMEOUT_S = 0.25
ENDURE_S = 5.0
"""The bound, and what a busy machine may add to it. Without a bound it would be for ever."""


@pytest.fixture
def server() -> Iterator[ValkeyServer]:
    # One for each test: it is killed.
    yield from started(ValkeyServer)


@pytest.fixture
def site(server: ValkeyServer) -> Iterator[Wsgi]:
    client = Valkey(server.url, timeout_s=TIMEOUT_S)
    site = Wsgi()
    site.sessions._records = ValkeySessions(client)
    until(lambda: site.ask(visit).status == 200)
    yield site
    client.close()


def visit(session: Session) -> int:
    session["visits"] = session.get("visits", 0) + 1
    found: int = session["visits"]
    return found


@pytest.mark.parametrize("how", ["kill", "pause"])
def test_nobody_waits_for_a_store_that_is_away_and_it_comes_back(
    server: ValkeyServer, site: Wsgi, how: str
) -> None:
    getattr(server, how)()
    try:
        began_s = SYSTEM_CLOCK.monotonic_s()
        reply = site.ask(visit)
        assert SYSTEM_CLOCK.monotonic_s() - began_s < ENDURE_S
        assert (reply.status, reply.kind) == (503, "store-unavailable")
        assert site.ask().status == 200
        assert site.ask(visit, catches=True).body == "sorry"
    finally:
        (server.start if how == "kill" else server.resume)()
    until(lambda: site.ask(visit).status == 200)
    if how == "pause":
        assert int(site.ask(visit).body) >= 3
