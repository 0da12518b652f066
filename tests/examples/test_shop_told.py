"""What the shop tells of orders: each once, and nothing of who ordered."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.examples.together import Away, shop
from tests.telemetry.logs.sinks import Kept, logs_into

from mainstay.telemetry.logs.joining import join

ORDER: dict[str, Any] = {
    "items": [{"product_id": 42, "quantity": 2}],
    "name": "Quay Customer",
    "email": "customer@example.org",
}
OWN = ("event", "level", "state", "order_id", "total_cents", "lines")
CHARGE = ("status", "reference", "amount_cents")
KEY = "8e03978e-40d5-43dd-bc93-6894a57f9324"
PERSONAL = ("Quay Customer", "customer@example.org")


@pytest.fixture
def told() -> Iterator[Kept]:
    """Everything that is logged in this process."""
    kept = Kept()
    joined = join(logs_into(kept))
    yield kept
    joined.leave()


def events(told: Kept) -> list[dict[str, Any]]:
    """Return the shop's own lines, with what they alone have. Any: the values of JSON."""
    return [
        {name: line[name] for name in (*OWN, *CHARGE) if name in line}
        for line in told.lines()
        if line["logger"].startswith("shop.")
    ]


def decided(told: Kept) -> list[tuple[str, str]]:
    """Return what was decided, in its order: a charge by its status, an order by its state."""
    return [(one["event"], one.get("status") or one["state"]) for one in events(told)]


async def ordered(client: httpx.AsyncClient, **changes: Any) -> httpx.Response:
    return await client.post("/api/orders", json=ORDER | changes, headers={"Idempotency-Key": KEY})


async def counted(client: httpx.AsyncClient) -> dict[str, float]:
    """Return how many orders were counted, by their state."""
    lines = (await client.get("/metrics")).text.splitlines()
    found = (line.split() for line in lines if line.startswith("orders_total{"))
    return {name.split('"')[1]: float(value) for name, value in found}


async def test_an_order_is_told_by_who_places_and_who_charges_it(
    tmp_path: Path, told: Kept
) -> None:
    async with shop(tmp_path) as client:
        order = (await ordered(client)).json()
        count = await counted(client)
    charged, confirmed = events(told)
    assert charged == {
        "event": "charge made",
        "status": "succeeded",
        "level": "info",
        "reference": order["id"],
        "amount_cents": 2200,
    }
    assert confirmed == {
        "event": "order settled",
        "state": "confirmed",
        "level": "info",
        "order_id": order["id"],
        "total_cents": 2200,
        "lines": 1,
    }
    assert count == {"confirmed": 1}
    assert not any(one in told.written.decode() for one in PERSONAL)


async def test_the_lines_of_one_order_have_the_trace_of_its_request(
    tmp_path: Path, told: Kept
) -> None:
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    async with shop(tmp_path) as client:
        client.headers["traceparent"] = f"00-{trace_id}-00f067aa0ba902b7-01"
        await ordered(client)
    own = [line["trace_id"] for line in told.lines() if line["logger"].startswith("shop.")]
    assert own == [trace_id] * 2


async def test_an_order_that_is_sent_again_is_told_once(tmp_path: Path, told: Kept) -> None:
    """Whoever answers: the wrapper from its records, or the shop itself from its order book."""
    async with shop(tmp_path) as client:
        await asyncio.gather(*(ordered(client) for _ in range(5)))
        first = await counted(client)
    # Another store, which knows no key.
    async with shop(tmp_path) as client:
        await ordered(client)
        again = await counted(client)
    assert decided(told) == [("charge made", "succeeded"), ("order settled", "confirmed")]
    assert (first, again) == ({"confirmed": 1}, {})


async def test_a_declined_order_is_told_once(tmp_path: Path, told: Kept) -> None:
    for _ in range(2):
        async with shop(tmp_path) as client:
            answer = await ordered(client, payment="card_without_funds")
            assert answer.status_code == 402
    assert decided(told) == [("charge made", "declined"), ("order settled", "declined")]


async def test_an_order_that_nobody_charged_is_a_warning(tmp_path: Path, told: Kept) -> None:
    async with shop(tmp_path, {"payments": Away()}) as client:
        await ordered(client)
        count = await counted(client)
    (pending,) = events(told)
    assert pending.pop("order_id")
    assert pending == {"event": "order stays pending", "level": "warning", "total_cents": 2200}
    assert count == {}
    assert not any(one in json.dumps(told.lines()) for one in PERSONAL)
