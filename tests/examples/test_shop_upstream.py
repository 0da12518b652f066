"""Calls to another service: an answer, or that the service is away."""

import asyncio

import httpx
import pytest
from tests.examples.together import Away, Hung

from mainstay import Bulkhead, Policy
from mainstay.service.outbound.adapters.http_clients import Http
from shop.storefront.errors import ServiceAway
from shop.storefront.upstream import Upstream

HTTP = Http(base_url="http://catalog")


def policy() -> Policy:
    return Policy(name="catalog", bulkhead=Bulkhead(limit=1))


@pytest.mark.parametrize(("status", "away"), [(404, False), (422, False), (500, True), (503, True)])
async def test_only_a_failure_of_the_service_itself_is_one(status: int, *, away: bool) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(status))
    async with policy().http_client(HTTP, transport=transport) as client:
        upstream = Upstream("catalog", client)
        if not away:
            assert (await upstream.get("/")).status_code == status
            return
        with pytest.raises(ServiceAway) as caught:
            await upstream.get("/")
        assert caught.value.service == "catalog"


@pytest.mark.parametrize(
    ("body", "media", "kind"),
    [
        ('{"type": "urn:x#store-unavailable"}', "application/problem+json", "store-unavailable"),
        ('{"type": "about:blank"}', "application/problem+json", "about:blank"),
        ('{"type": "urn:x#store-unavailable"}', "application/json", ""),
        ("[]", "application/problem+json", ""),
        ("{}", "application/problem+json", ""),
        ("{", "application/problem+json", ""),
    ],
)
async def test_the_kind_of_a_problem_is_known(body: str, media: str, kind: str) -> None:
    answer = httpx.Response(503, content=body, headers={"Content-Type": media})
    transport = httpx.MockTransport(lambda _: answer)
    async with policy().http_client(HTTP, transport=transport) as client:
        with pytest.raises(ServiceAway) as caught:
            await Upstream("payments", client).get("/")
    assert caught.value.kind == kind


async def test_who_is_not_reached_is_away() -> None:
    async with policy().http_client(HTTP, transport=Away()) as client:
        with pytest.raises(ServiceAway):
            await Upstream("catalog", client).get("/")


async def test_who_has_too_many_calls_already_is_away() -> None:
    """Without the bound every waiting call made every other one dearer, until none was answered."""
    async with policy().http_client(HTTP, transport=Hung()) as client:
        upstream = Upstream("catalog", client)
        held = asyncio.create_task(upstream.get("/"))
        await asyncio.sleep(0)
        with pytest.raises(ServiceAway):
            await upstream.get("/")
        assert not held.done()
        held.cancel()
        await asyncio.gather(held, return_exceptions=True)
