"""Orders: whatever is sent again, and whatever gets lost, an order is paid once."""

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.examples.kept import Stores
from tests.examples.together import BROWSER, AnswerLost, Away, client_of, service, shop

from shop.database import Database
from shop.payments.api import build as build_payments
from shop.payments.ledger import SCHEMA

ORDER: dict[str, Any] = {
    "items": [{"product_id": 1, "quantity": 2}, {"product_id": 42, "quantity": 1}],
    "name": "Quay Customer",
    "email": "customer@example.org",
}
TOTAL_CENTS = 2 * 4200 + 1100
SOLD_OUT = 19
KEY = "8e03978e-40d5-43dd-bc93-6894a57f9324"
"""One that nobody guesses: these customers have no credentials."""


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with shop(tmp_path) as client:
        yield client


async def _order(
    client: httpx.AsyncClient, key: str | None = None, **changes: Any
) -> httpx.Response:
    headers = {} if key is None else {"Idempotency-Key": key}
    return await client.post("/api/orders", json=ORDER | changes, headers=headers)


def _charged(folder: Path) -> list[int]:
    """Return what the ledger has charged, in cents."""
    connection = sqlite3.connect(folder / "payments.db")
    rows = connection.execute("SELECT amount_cents FROM charges WHERE status = 'succeeded'")
    amounts = [amount for (amount,) in rows]
    connection.close()
    return amounts


async def test_an_order_is_priced_charged_and_kept(
    client: httpx.AsyncClient, tmp_path: Path
) -> None:
    answer = await _order(client)
    order = answer.json()
    assert answer.status_code == 201
    assert (order["state"], order["total_cents"]) == ("confirmed", TOTAL_CENTS)
    assert order["lines"][0]["name"] == "Carbon Steel Frying Pan, 24 cm"
    kept = (await client.get(f"/api/orders/{order['id']}")).json()
    assert kept | {"goes_with": order["goes_with"]} == order
    assert _charged(tmp_path) == [TOTAL_CENTS]


async def test_an_order_that_is_sent_again_is_the_same_order(
    client: httpx.AsyncClient, tmp_path: Path
) -> None:
    first, again = await _order(client, KEY), await _order(client, KEY)
    assert again.status_code == 201
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert _charged(tmp_path) == [TOTAL_CENTS]


async def test_what_the_store_has_forgotten_the_order_book_knows(tmp_path: Path) -> None:
    async with shop(tmp_path) as client:
        first = await _order(client, KEY)
    # Another store, with nothing in it.
    async with shop(tmp_path) as client:
        again = await _order(client, KEY)
    async with shop(tmp_path) as client:
        other = await _order(client, KEY, email="other@example.org")
    assert "idempotency-replayed" not in again.headers
    assert again.json() == first.json()
    assert (other.status_code, other.json()["code"]) == (422, "key_reused")
    assert "customer@example.org" not in other.text
    assert _charged(tmp_path) == [TOTAL_CENTS]


async def test_of_many_at_once_with_one_key_one_is_charged(
    client: httpx.AsyncClient, tmp_path: Path
) -> None:
    answers = await asyncio.gather(*(_order(client, KEY) for _ in range(12)))
    placed = [answer for answer in answers if answer.status_code == 201]
    told_to_wait = [answer for answer in answers if answer.status_code == 409]
    assert len(placed) + len(told_to_wait) == 12
    assert len({answer.json()["id"] for answer in placed}) == 1
    assert all(answer.headers["retry-after"] == "1" for answer in told_to_wait)
    assert _charged(tmp_path) == [TOTAL_CENTS]


async def test_orders_without_a_key_are_orders_of_their_own(
    client: httpx.AsyncClient, tmp_path: Path
) -> None:
    first, second = await _order(client), await _order(client)
    assert first.json()["id"] != second.json()["id"]
    assert _charged(tmp_path) == [TOTAL_CENTS, TOTAL_CENTS]


async def test_a_key_that_comes_with_another_order_is_refused(
    client: httpx.AsyncClient,
) -> None:
    """Whoever guesses a key must not be shown somebody else's order."""
    await _order(client, KEY)
    answer = await _order(client, KEY, email="other@example.org")
    assert answer.status_code == 422
    assert answer.json()["type"].endswith("#idempotency-mismatch")
    assert "customer@example.org" not in answer.text


async def test_a_charge_whose_answer_got_lost_is_not_made_twice(tmp_path: Path) -> None:
    charges = build_payments(Database(tmp_path / "payments.db", SCHEMA))
    wrapped = service("payments").asgi(charges)
    lossy = AnswerLost(httpx.ASGITransport(wrapped))
    async with client_of(charges, wrapped), shop(tmp_path, {"payments": lossy}) as client:
        first = await _order(client, KEY)
        again = await _order(client, KEY)
    assert first.status_code == first.json()["status"] == 503
    assert first.headers["retry-after"] == "2"
    assert (again.status_code, again.json()["state"]) == (201, "confirmed")
    assert lossy.requests == 2
    assert _charged(tmp_path) == [TOTAL_CENTS]


async def test_an_order_waits_for_payments_to_come_back(tmp_path: Path) -> None:
    async with shop(tmp_path, {"payments": Away()}) as client:
        refused = await _order(client, KEY)
    # Another process, later.
    async with shop(tmp_path) as client:
        placed = await _order(client, KEY)
    assert refused.status_code == 503
    assert placed.json()["state"] == "confirmed"
    assert _charged(tmp_path) == [TOTAL_CENTS]


async def test_a_declined_order_stays_declined(client: httpx.AsyncClient, tmp_path: Path) -> None:
    for _ in range(2):
        answer = await _order(client, KEY, payment="card_without_funds")
        assert (answer.status_code, answer.json()["code"]) == (402, "payment_declined")
    assert _charged(tmp_path) == []


@pytest.mark.parametrize(
    ("items", "sentence"),
    [
        ([{"product_id": 99999, "quantity": 1}], "We don't have a product 99999."),
        ([{"product_id": SOLD_OUT, "quantity": 1}], "There are only 0 of Potato Ricer left."),
    ],
)
async def test_what_is_not_there_cannot_be_ordered(
    client: httpx.AsyncClient, tmp_path: Path, items: list[dict[str, int]], sentence: str
) -> None:
    answer = await _order(client, items=items)
    assert (answer.status_code, answer.json()["code"]) == (422, "order_refused")
    assert answer.json()["detail"] == sentence
    assert _charged(tmp_path) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"items": []},
        {"items": [{"product_id": 1, "quantity": 0}]},
        {"items": [{"product_id": 1, "quantity": 10}]},
        {"items": [{"product_id": 1, "quantity": 1}] * 2},
        {"items": [{"product_id": n, "quantity": 1} for n in range(1, 22)]},
        {"name": "  "},
        {"email": "nobody"},
        {"payment": "cash"},
        {"price_cents": 1},
    ],
)
async def test_an_order_that_is_none_is_refused(
    client: httpx.AsyncClient, tmp_path: Path, changes: dict[str, Any]
) -> None:
    answer = await _order(client, **changes)
    assert answer.status_code == 422
    assert answer.json()["type"].endswith("#input-invalid")
    assert _charged(tmp_path) == []


def _key_of(page: str) -> str:
    match = re.search(r'name="key" value="([^"]+)"', page)
    assert match is not None
    return match[1]


FORM = {"name": "Quay Customer", "email": "customer@example.org", "payment": "card"}


async def test_people_order_by_form_and_further_clicks_change_nothing(
    client: httpx.AsyncClient, tmp_path: Path
) -> None:
    await client.post("/cart", data={"product_id": "42"})
    form = FORM | {"key": _key_of((await client.get("/cart")).text)}
    # The second click is on its way before the first is answered; the third comes after that.
    first, second = await asyncio.gather(*(client.post("/orders", data=form) for _ in range(2)))
    third = await client.post("/orders", data=form)
    assert first.status_code == second.status_code == third.status_code == 303
    assert len({answer.headers["location"] for answer in (first, second, third)}) == 1
    page = (await client.get(first.headers["location"])).text
    assert "Thank you, Quay Customer" in page
    assert "There is nothing in it yet" in (await client.get("/cart")).text
    assert _charged(tmp_path) == [1100]


async def test_a_form_with_faults_comes_back_with_what_was_written(
    client: httpx.AsyncClient,
) -> None:
    await client.post("/cart", data={"product_id": "42"})
    answer = await client.post("/orders", data=FORM | {"email": "nobody"}, headers=BROWSER)
    assert answer.status_code == 422
    assert "Please write an e-mail address." in answer.text
    assert 'value="Quay Customer"' in answer.text


async def test_after_a_declined_card_another_one_may_pay(
    client: httpx.AsyncClient, tmp_path: Path
) -> None:
    await client.post("/cart", data={"product_id": "42"})
    form = FORM | {"key": "k", "payment": "card_without_funds"}
    declined = await client.post("/orders", data=form, headers=BROWSER)
    assert declined.status_code == 402
    assert _key_of(declined.text) != "k"
    paid = await client.post("/orders", data=FORM | {"key": _key_of(declined.text)})
    assert paid.status_code == 303
    assert _charged(tmp_path) == [1100]


async def test_while_payments_are_away_the_form_keeps_its_key(tmp_path: Path) -> None:
    async with shop(tmp_path, {"payments": Away()}) as client:
        await client.post("/cart", data={"product_id": "42"})
        answer = await client.post("/orders", data=FORM | {"key": "k"}, headers=BROWSER)
    assert answer.status_code == 503
    assert _key_of(answer.text) == "k"
    assert "paid once" in answer.text


async def test_while_the_store_is_away_orders_are_placed_and_paid_once(tmp_path: Path) -> None:
    """The ledger knows what was paid for. Only who sends a key must wait: it can't be looked up."""
    stores = Stores()
    async with shop(tmp_path, stores=stores) as client:
        stores.away = True
        placed = await _order(client)
        keyed = await _order(client, KEY)
        stores.away = False
        later = await _order(client, KEY)
    assert (placed.status_code, placed.json()["state"]) == (201, "confirmed")
    assert keyed.status_code == 503
    assert keyed.json()["type"].endswith("#store-unavailable")
    assert keyed.headers["retry-after"] == "1"
    assert later.json()["state"] == "confirmed"
    assert _charged(tmp_path) == [TOTAL_CENTS, TOTAL_CENTS]


async def test_a_form_that_is_sent_while_the_store_is_away_can_be_sent_again(
    tmp_path: Path,
) -> None:
    stores = Stores()
    async with shop(tmp_path, stores=stores) as client:
        await client.post("/cart", data={"product_id": "42"})
        form = FORM | {"key": _key_of((await client.get("/cart")).text)}
        stores.away = True
        waiting = await client.post("/orders", data=form)
        page = await client.get(waiting.headers["location"])
        stores.away = False
        placed = await client.post("/orders", data=form)
    assert waiting.headers["location"] == "/cart"
    assert (page.status_code, "out of reach right now" in page.text) == (200, True)
    assert placed.headers["location"].startswith("/orders/")
    assert _charged(tmp_path) == [1100]
