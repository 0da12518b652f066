"""Payments: each charge once for its key."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.examples.together import client_of, payments_app

from shop.database import Database
from shop.payments.charge import ChargeInvalid, ChargeRequest, KeyReused, read_request
from shop.payments.ledger import SCHEMA, Ledger

BODY = {"amount_cents": 4200, "method": "card", "reference": "order-1"}


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(payments_app(tmp_path)) as client:
        yield client


async def _charge(client: httpx.AsyncClient, key: str, **changes: Any) -> httpx.Response:
    return await client.post("/charges", json=BODY | changes, headers={"Idempotency-Key": key})


async def test_the_same_key_is_charged_once(client: httpx.AsyncClient) -> None:
    first = await _charge(client, "a")
    again = await _charge(client, "a")
    other = await _charge(client, "b")
    assert first.status_code == 201
    assert "idempotency-replayed" not in first.headers
    assert again.status_code == 200
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json() == first.json()
    assert other.json()["id"] != first.json()["id"]


async def test_of_many_at_once_with_one_key_one_is_charged(client: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(_charge(client, "a") for _ in range(16)))
    assert sorted(answer.status_code for answer in answers) == [200] * 15 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1


async def test_a_key_that_comes_with_another_charge_is_refused(client: httpx.AsyncClient) -> None:
    await _charge(client, "a")
    answer = await _charge(client, "a", amount_cents=1)
    assert answer.status_code == 422
    assert answer.json()["code"] == "key_reused"


async def test_a_declined_charge_stays_declined(client: httpx.AsyncClient) -> None:
    first = await _charge(client, "a", method="card_without_funds")
    again = await _charge(client, "a", method="card_without_funds")
    assert first.json()["status"] == again.json()["status"] == "declined"
    assert first.json()["id"] == again.json()["id"]


async def test_a_charge_can_be_looked_at(client: httpx.AsyncClient) -> None:
    made = (await _charge(client, "a")).json()
    assert (await client.get(f"/charges/{made['id']}")).json() == made
    missing = await client.get("/charges/none")
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")


async def test_a_charge_without_a_key_is_refused(client: httpx.AsyncClient) -> None:
    for headers in ({}, {"Idempotency-Key": "k" * 201}):
        answer = await client.post("/charges", json=BODY, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "key_missing")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000])
async def test_a_body_that_is_no_charge_is_refused(
    client: httpx.AsyncClient, content: bytes
) -> None:
    answer = await client.post("/charges", content=content, headers={"Idempotency-Key": "a"})
    assert (answer.status_code, answer.json()["code"]) == (422, "charge_invalid")


async def test_an_unknown_method_is_a_problem_document(client: httpx.AsyncClient) -> None:
    answer = await client.delete("/charges")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "POST"


async def test_a_ledger_that_is_away_says_that_nothing_was_charged(tmp_path: Path) -> None:
    app = payments_app(tmp_path)
    async with client_of(app) as client:
        app.state.ledger = Ledger(Database(tmp_path / "closed.db", SCHEMA))
        answer = await _charge(client, "a")
    assert (answer.status_code, answer.json()["code"]) == (503, "ledger_busy")
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
    made, _ = Ledger(database).charge("k", request, charge_id="one")
    database.close()
    database.open()
    again, before = Ledger(database).charge("k", request, charge_id="two")
    with pytest.raises(KeyReused):
        Ledger(database).charge(
            "k", ChargeRequest(amount_cents=1, method="card", reference="r"), charge_id="three"
        )
    database.close()
    assert before
    assert again == made
