"""Payments: each reference is charged once."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.examples.together import alone, payments_app

from shop.database import Database
from shop.payments.charge import ChargeInvalid, ChargeRequest, ReferenceCharged, read_request
from shop.payments.ledger import SCHEMA, Ledger

BODY = {"amount_cents": 4200, "method": "card", "reference": "order-1"}
KEY = "8e03978e-40d5-43dd-bc93-6894a57f9324"


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with alone("payments", payments_app(tmp_path)) as client:
        yield client


async def _charge(
    client: httpx.AsyncClient, key: str | None = None, **changes: Any
) -> httpx.Response:
    headers = {} if key is None else {"Idempotency-Key": key}
    return await client.post("/charges", json=BODY | changes, headers=headers)


async def test_a_reference_is_charged_once(client: httpx.AsyncClient) -> None:
    """Whatever keys there are: the ledger is what knows who has paid."""
    first = await _charge(client)
    again = await _charge(client)
    with_key = await _charge(client, KEY)
    other = await _charge(client, reference="order-2")
    assert (first.status_code, again.status_code, with_key.status_code) == (201, 200, 200)
    assert first.json() == again.json() == with_key.json()
    assert other.json()["id"] != first.json()["id"]


async def test_the_first_answer_to_a_key_is_given_again(client: httpx.AsyncClient) -> None:
    first, again = await _charge(client, KEY), await _charge(client, KEY)
    assert first.status_code == again.status_code == 201
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json() == first.json()


async def test_of_many_at_once_for_one_reference_one_is_charged(client: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(_charge(client) for _ in range(16)))
    assert sorted(answer.status_code for answer in answers) == [200] * 15 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1


async def test_another_charge_for_a_reference_is_refused(client: httpx.AsyncClient) -> None:
    await _charge(client)
    answer = await _charge(client, amount_cents=1)
    assert answer.status_code == 409
    assert answer.json()["detail"] == "Another charge was made for this reference."


async def test_a_key_that_comes_with_another_charge_is_refused(client: httpx.AsyncClient) -> None:
    await _charge(client, KEY)
    answer = await _charge(client, KEY, reference="order-2")
    assert answer.status_code == 422
    assert answer.json()["type"].endswith("#idempotency-mismatch")


async def test_a_declined_charge_stays_declined(client: httpx.AsyncClient) -> None:
    first = await _charge(client, method="card_without_funds")
    again = await _charge(client, method="card_without_funds")
    assert first.json()["status"] == again.json()["status"] == "declined"
    assert first.json()["id"] == again.json()["id"]


async def test_a_charge_can_be_looked_at(client: httpx.AsyncClient) -> None:
    made = (await _charge(client)).json()
    assert (await client.get(f"/charges/{made['id']}")).json() == made
    missing = await client.get("/charges/none")
    assert (missing.status_code, missing.json()["detail"]) == (404, "There is no such charge.")


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 16_000, b"[" * 100_000]
)
async def test_a_body_that_is_no_charge_is_refused(
    client: httpx.AsyncClient, content: bytes
) -> None:
    answer = await client.post("/charges", content=content)
    # The last one is longer than any body may be here.
    assert answer.status_code == (422 if len(content) < 16 * 1024 else 413)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_an_unknown_method_is_a_problem_document(client: httpx.AsyncClient) -> None:
    answer = await client.delete("/charges")
    assert (answer.status_code, answer.json()["title"]) == (405, "Method Not Allowed")
    assert answer.headers["allow"] == "POST"


async def test_a_ledger_that_is_away_says_to_come_back(tmp_path: Path) -> None:
    app = payments_app(tmp_path)
    async with alone("payments", app) as client:
        app.state.ledger = Ledger(Database(tmp_path / "closed.db", SCHEMA))
        answer = await _charge(client)
    assert answer.status_code == answer.json()["status"] == 503
    assert answer.headers["retry-after"] == "1"


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=300),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["amount_cents", "method", "reference", "x"]), inner)
    ),
    max_leaves=8,
)


@given(content=st.binary(max_size=200) | _json.map(lambda body: json.dumps(body).encode()))
def test_reading_a_request_gives_a_charge_or_says_what_is_wrong(content: bytes) -> None:
    try:
        request = read_request(content)
    except ChargeInvalid:
        return
    assert type(request.amount_cents) is int
    assert request.amount_cents > 0
    assert request.method
    assert request.reference


def test_the_ledger_survives_its_process(tmp_path: Path) -> None:
    request = ChargeRequest(amount_cents=100, method="card", reference="r")
    database = Database(tmp_path / "payments.db", SCHEMA)
    database.open()
    made, _ = Ledger(database).charge(request, charge_id="one")
    database.close()
    database.open()
    again, before = Ledger(database).charge(request, charge_id="two")
    with pytest.raises(ReferenceCharged):
        Ledger(database).charge(
            ChargeRequest(amount_cents=1, method="card", reference="r"), charge_id="three"
        )
    database.close()
    assert before
    assert again == made
