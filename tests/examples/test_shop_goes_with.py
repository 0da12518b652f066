"""What goes with an order: asked for when it is paid, and never a reason for it to fail."""

from pathlib import Path

import httpx
import pytest
from tests.examples.together import Away, Hung, shop

ORDER = {
    "items": [{"product_id": 42, "quantity": 1}, {"product_id": 1, "quantity": 1}],
    "name": "Quay Customer",
    "email": "customer@example.org",
}


class Says(httpx.AsyncBaseTransport):
    """A service that always gives one answer."""

    def __init__(self, status: int, content: bytes) -> None:
        self._status = status
        self._content = content
        self.requests = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        del request
        self.requests += 1
        return httpx.Response(self._status, content=self._content)


async def test_an_order_names_what_goes_with_its_first_line(tmp_path: Path) -> None:
    async with shop(tmp_path) as client:
        order = (await client.post("/api/orders", json=ORDER)).json()
        related = (await client.get("/api/recommendations/42")).json()
    assert order["goes_with"] == [product["id"] for product in related["items"]]
    assert len(order["goes_with"]) == 4


@pytest.mark.parametrize(
    "recommendations",
    [
        Away(),
        Hung(),
        Says(500, b""),
        Says(404, b"{}"),
        Says(200, b"[" * 1000),
        Says(200, b'{"items": [{"id": "none"}], "source": "related"}'),
    ],
    ids=["away", "hung", "broken", "unknown", "no-json", "no-products"],
)
async def test_whatever_is_wrong_with_it_the_order_is_placed(
    tmp_path: Path, recommendations: httpx.AsyncBaseTransport
) -> None:
    async with shop(tmp_path, {"recommendations": recommendations}, total_s=0.2) as client:
        answer = await client.post("/api/orders", json=ORDER)
    assert (answer.status_code, answer.json()["state"]) == (201, "confirmed")
    assert answer.json()["goes_with"] == []


async def test_nobody_asks_what_goes_with_an_order_that_was_not_placed(tmp_path: Path) -> None:
    asked = Says(500, b"")
    async with shop(tmp_path, {"recommendations": asked}) as client:
        declined = await client.post("/api/orders", json=ORDER | {"payment": "card_without_funds"})
        placed = await client.post("/api/orders", json=ORDER)
    assert (declined.status_code, placed.status_code, asked.requests) == (402, 201, 1)
