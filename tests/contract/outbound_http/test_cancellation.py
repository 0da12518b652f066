"""A caller that went away: nothing stays taken, and the dependency did not fail."""

import asyncio
from collections.abc import Callable

import pytest
from tests.contract.outbound_http.drivers import ASYNC, DRIVERS, Aiohttp, HttpxAsync
from tests.contract.outbound_http.server import Server, answer, dripping_body, hang, large

from mainstay import Breaker, Bulkhead, Hedge, Policy
from mainstay.core.clock import SYSTEM_CLOCK, pause
from mainstay.service.outbound.adapters.http_clients.options import Http
from mainstay.service.outbound.events import Attempted, HedgeWon
from mainstay.testing import Recorder

PATIENCE_S = 20.0


def eventually(holds: Callable[[], bool]) -> bool:
    until_s = SYSTEM_CLOCK.monotonic_s() + PATIENCE_S
    while not holds():
        if SYSTEM_CLOCK.monotonic_s() > until_s:
            return False
        pause(0.01)
    return True


@pytest.fixture(params=ASYNC)
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.mark.parametrize("slow", [hang, dripping_body(0.01)], ids=["headers", "body"])
def test_a_cancelled_call_leaves_nothing_behind(
    kind: str, server: Server, recorder: Recorder, slow: object
) -> None:
    policy = Policy(bulkhead=Bulkhead(limit=1), breaker=Breaker(failures=1))
    policy.events.add(recorder)
    server.on("/a", slow)  # type: ignore[arg-type]  # One of the two above.
    client = DRIVERS[kind](policy, Http(base_url=server.url))
    assert isinstance(client, HttpxAsync | Aiohttp)

    async def cancelled() -> None:
        call = asyncio.create_task(client.get("/a"))
        while not server.count("/a") and not call.done():  # noqa: ASYNC110  In another thread.
            await asyncio.sleep(0.01)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    client.run(cancelled())
    assert policy.stats().in_flight == 0
    assert policy.stats().state == "closed"
    assert recorder.count(Attempted, outcome="cancelled") == 1
    # The server sees it when the loop has closed the socket.
    client.run(asyncio.sleep(0.01))
    assert eventually(lambda: server.open == 0)
    assert client.request("GET", "/other").status == 404
    client.close()


def test_a_cancelled_call_that_waits_for_a_place_takes_none(kind: str, server: Server) -> None:
    policy = Policy(bulkhead=Bulkhead(limit=1, queue=1, wait="1m"))
    server.on("/a", answer(200, after_s=0.3))
    client = DRIVERS[kind](policy, Http(base_url=server.url))
    assert isinstance(client, HttpxAsync | Aiohttp)

    async def cancelled() -> None:
        first = asyncio.create_task(client.get("/a"))
        await asyncio.sleep(0)
        second = asyncio.create_task(client.get("/a"))
        while not policy.stats().waiting and not second.done():  # noqa: ASYNC110  Nobody tells.
            await asyncio.sleep(0.001)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        assert (await first).status == 200

    client.run(cancelled())
    assert (policy.stats().in_flight, policy.stats().waiting) == (0, 0)
    assert server.count("/a") == 1
    client.close()


def test_the_loser_of_a_hedge_leaves_nothing_behind(
    kind: str, server: Server, recorder: Recorder
) -> None:
    policy = Policy(bulkhead=Bulkhead(limit=4), hedge=Hedge(after=0.05))
    policy.events.add(recorder)
    server.on("/a", hang, large(4, b"x" * 65_536))
    client = DRIVERS[kind](policy, Http(base_url=server.url))
    assert isinstance(client, HttpxAsync | Aiohttp)
    assert len(client.request("GET", "/a").body) == 4 * 65_536
    assert recorder.count(HedgeWon) == 1
    assert policy.stats().in_flight == 0
    client.run(asyncio.sleep(0.01))
    assert eventually(lambda: server.open == 1)
    client.close()
