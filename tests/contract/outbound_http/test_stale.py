"""The one automatic retry: a connection that the server closed while it was idle."""

import pytest
from tests.contract.outbound_http.conftest import Connect
from tests.contract.outbound_http.server import Peer, Seen, Server, answer, reset, stale

from mainstay import Breaker, Bulkhead, Policy
from mainstay.service.outbound.adapters.errors import ConnectionLost
from mainstay.service.outbound.adapters.http_clients.events import Reconnected
from mainstay.service.outbound.events import Attempted
from mainstay.testing import Recorder


@pytest.fixture
def once(recorder: Recorder) -> Policy:
    """A policy without retries, whose circuit opens at the first failure."""
    policy = Policy(name="catalog", bulkhead=Bulkhead(), breaker=Breaker(failures=1))
    policy.events.add(recorder)
    return policy


def test_a_get_is_sent_again_and_nothing_is_counted(
    once: Policy, connect: Connect, server: Server, recorder: Recorder
) -> None:
    server.on("/a", stale)
    client = connect(once, server.url)
    for _ in range(3):
        assert client.request("GET", "/a").status == 200
    assert [(one.connection, one.nth) for one in server.seen] == [
        (1, 1), (1, 2), (2, 1), (2, 2), (3, 1)
    ]  # fmt: skip
    assert recorder.count(Attempted, outcome="success") == 3
    assert recorder.count(Attempted) == 3
    assert recorder.count(Reconnected, dependency="catalog") == 2


def test_a_post_is_not(once: Policy, connect: Connect, server: Server) -> None:
    """It left: nobody knows whether the server did its work before it closed."""
    server.on("/a", stale)
    client = connect(once, server.url)
    client.request("POST", "/a", body=b"1")
    with pytest.raises(ConnectionLost):
        client.request("POST", "/a", body=b"2")
    assert [one.body for one in server.seen] == [b"1", b"2"]


def test_a_post_with_a_key_is(once: Policy, connect: Connect, server: Server) -> None:
    server.on("/a", stale)
    client = connect(once, server.url)
    for _ in range(2):
        got = client.request("POST", "/a", body=b"x", headers={"Idempotency-Key": "k"})
        assert got.status == 200
    assert server.count("/a") == 3


def test_it_is_sent_again_once(once: Policy, connect: Connect, server: Server) -> None:
    async def breaks(seen: Seen, peer: Peer) -> None:
        await reset(seen, peer)

    server.on("/a", answer(200), breaks)
    client = connect(once, server.url)
    client.request("GET", "/a")
    with pytest.raises(ConnectionLost):
        client.request("GET", "/a")
    assert server.count("/a") == 3
    assert once.stats().state == "open"


def test_a_new_connection_that_breaks_is_a_failure(
    once: Policy, connect: Connect, server: Server, recorder: Recorder
) -> None:
    server.on("/a", reset)
    client = connect(once, server.url)
    with pytest.raises(ConnectionLost):
        client.request("GET", "/a")
    assert server.count("/a") == 1
    assert recorder.count(Reconnected) == 0
