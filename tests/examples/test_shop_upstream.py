"""Calls to another service: in time, bounded, and never a surprise."""

import asyncio

import httpx
import pytest
from tests.examples.together import Hung

from shop.storefront.errors import ServiceAway
from shop.storefront.upstream import Peer, Upstream, http_client

PEER = Peer(
    name="catalog",
    url="http://catalog",
    connect_s=1.0,
    total_s=60.0,
    calls_max=2,
    waiting_max=3,
)


class Answers(httpx.AsyncBaseTransport):
    """A service that answers with one status, and counts how many calls it has at once."""

    def __init__(self, status: int) -> None:
        self._status = status
        self._calls = 0
        self.most = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        del request
        self._calls += 1
        self.most = max(self.most, self._calls)
        await asyncio.sleep(0)
        self._calls -= 1
        return httpx.Response(self._status)


async def test_a_service_that_hangs_holds_so_many_calls_and_no_more() -> None:
    """Without the bound every waiting call made every other one dearer, until none was answered."""
    async with http_client([PEER], {PEER.url: Hung()}) as client:
        upstream = Upstream(PEER, client)
        held = [asyncio.create_task(upstream.get("/")) for _ in range(5)]
        await asyncio.sleep(0)
        with pytest.raises(ServiceAway):
            await upstream.get("/")
        assert not any(task.done() for task in held)
        for task in held:
            task.cancel()
        await asyncio.gather(*held, return_exceptions=True)
        # Cancelled calls give their places back.
        again = asyncio.create_task(upstream.get("/"))
        await asyncio.sleep(0)
        assert not again.done()
        again.cancel()


async def test_calls_wait_for_their_turn() -> None:
    transport = Answers(200)
    async with http_client([PEER], {PEER.url: transport}) as client:
        upstream = Upstream(PEER, client)
        answers = await asyncio.gather(*(upstream.get("/") for _ in range(5)))
    assert [answer.status_code for answer in answers] == [200] * 5
    assert transport.most == PEER.calls_max


@pytest.mark.parametrize(("status", "away"), [(404, False), (422, False), (500, True), (503, True)])
async def test_only_a_failure_of_the_service_itself_is_one(status: int, *, away: bool) -> None:
    async with http_client([PEER], {PEER.url: Answers(status)}) as client:
        upstream = Upstream(PEER, client)
        if not away:
            assert (await upstream.get("/")).status_code == status
            return
        with pytest.raises(ServiceAway) as caught:
            await upstream.get("/")
        assert caught.value.service == "catalog"
