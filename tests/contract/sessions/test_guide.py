"""The example of the guide runs as it stands, with a real server in the place of its own."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.contract.conftest import Run
from tests.contract.stores.servers import Valkey as ValkeyServer

pytestmark = pytest.mark.system

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "sessions.md"
THEIRS = "redis://127.0.0.1:6379/0"


@pytest.fixture
def example(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, valkey_server: ValkeyServer
) -> dict[str, Any]:
    text = GUIDE.read_text("utf-8")
    (declaration,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert THEIRS in declaration
    (tmp_path / "mainstay.yaml").write_text(declaration.replace(THEIRS, valkey_server.url))
    (tmp_path / "session.key").write_text("k" * 64)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": __name__}
    exec(compile(code, str(GUIDE), "exec"), names)  # noqa: S102  Our own document.
    return names


async def sure(ask: Callable[[], Any]) -> httpx.Response:
    """Ask until the store answers in its 50 ms, which it may not on a busy machine."""
    reply: httpx.Response = await ask()
    for _ in range(500):
        if reply.status_code != 503:
            break
        await asyncio.sleep(0.02)
        reply = await ask()
    return reply


def test_the_example(example: dict[str, Any], run: Run) -> None:
    async def visit() -> None:
        transport = httpx.ASGITransport(example["app"])
        async with httpx.AsyncClient(transport=transport, base_url="https://shop") as client:
            await sure(lambda: client.post("/cart/bike"))
            reply = await sure(lambda: client.post("/cart/bell"))
            assert reply.json()[-1] == "bell"
            assert "__Host-session" in client.cookies
            before = client.cookies["__Host-session"]
            await sure(lambda: client.post("/login/ada"))
            assert client.cookies["__Host-session"] != before
            assert (await sure(lambda: client.post("/cart/lamp"))).json()[-1] == "lamp"
            assert (await sure(lambda: client.post("/logout"))).json() == "bye"
            assert "__Host-session" not in client.cookies
            assert (await sure(lambda: client.post("/cart/pump"))).json() == ["pump"]
        await example["service"]._inbound.sessions._records._valkey.aclose()

    run(visit())
