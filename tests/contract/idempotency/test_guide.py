"""The examples of the guide run as they stand, with real servers in the place of theirs."""

import asyncio
import re
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from tests.contract.conftest import Run
from tests.contract.stores.servers import Postgres
from tests.contract.stores.servers import Valkey as ValkeyServer

from mainstay.core.idempotency import Bid, State
from mainstay.service.inbound.idempotency.attempt import Attempt
from mainstay.service.inbound.idempotency.records import Records
from mainstay.state.idempotency import CREATE_TABLE

pytestmark = pytest.mark.system

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "idempotency.md"
THEIRS = "redis://127.0.0.1:6379/0"
PRINT = b"\x07" * 16


@pytest.fixture
def example(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, valkey_server: ValkeyServer
) -> dict[str, Any]:
    text = GUIDE.read_text("utf-8")
    (declaration,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    code = "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    assert THEIRS in declaration
    (tmp_path / "mainstay.yaml").write_text(declaration.replace(THEIRS, valkey_server.url))
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": __name__}
    exec(compile(code, str(GUIDE), "exec"), names)  # noqa: S102  Our own document.
    return names


def test_the_first_example(example: dict[str, Any], run: Run) -> None:
    key = {"Idempotency-Key": '"8e03978e-40d5-43dd-bc93-6894a57f9324"'}

    async def order() -> None:
        transport = httpx.ASGITransport(example["app"])
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
            for _ in range(500):
                reply = await client.post("/orders/bike", headers=key)
                if "idempotency-replayed" in reply.headers:
                    break
                # Its first answer, or a store that is slower than 50 ms on a busy machine.
                assert reply.status_code in {201, 409, 503}
                await asyncio.sleep(0.02)
            assert (reply.status_code, reply.json()) == (201, 1)
            assert example["orders"] == ["bike"]
            other = await client.post("/orders/bell", headers=key)
            assert other.status_code in {422, 503}
        inbound = example["service"]._inbound
        await inbound.idempotency.records._valkey.aclose()
        inbound.idempotency.close()

    run(order())


def test_the_work_that_is_completed_in_its_transaction(
    example: dict[str, Any], postgres_server: Postgres, postgres_records: Records, record: str
) -> None:
    attempt = Attempt(
        key="k", record=record, token=1, fingerprint=PRINT, records=postgres_records, ttl_s=60.0
    )
    postgres_records.begin(record, Bid(1, PRINT, 60.0, 60.0, False))  # noqa: FBT003  A plain value.

    async def order() -> bytes:
        async with await psycopg.AsyncConnection.connect(postgres_server.conninfo) as connection:
            await connection.execute("create temporary table orders (article text)")
            made: bytes = await example["place"](connection, attempt, "bike")
            return made

    assert asyncio.run(order()) == b'{"ordered": true}'
    assert postgres_records.begin(record, Bid(2, PRINT, 60.0, 60.0, False)).state is State.DONE  # noqa: FBT003


def test_the_table_is_the_one_that_the_guide_shows() -> None:
    (shown,) = re.findall(r"```sql\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    assert shown.strip() == CREATE_TABLE
