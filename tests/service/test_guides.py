"""The examples of the guides run as they stand."""

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from mainstay.service.service import Service

GUIDES = Path(__file__).parents[2] / "docs" / "guides"


def example_of(guide: str) -> dict[str, Any]:
    text = (GUIDES / guide).read_text("utf-8")
    (code, *_) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(code, guide, "exec"), names)  # noqa: S102  Our own documents.
    return names


def test_the_checks_of_the_health_guide_pass() -> None:
    service = example_of("health.md")["service"]
    assert isinstance(service, Service)
    outcomes = service._board.ask()
    assert {name: one.finding.status.value for name, one in outcomes.items() if name in
            {"ledger", "queue"}} == {"ledger": "pass", "queue": "pass"}  # fmt: skip


def test_the_group_of_the_health_guide_asks_its_checks() -> None:
    service = example_of("health.md")["service"]
    probes = service._inbound.probes
    status, body = probes.answer(probes.routes["/health/group/orders"])
    assert status == 200
    assert sorted(json.loads(body)["checks"]) == ["disk", "ledger"]


async def test_the_drain_guide_goes_its_way(capsys: pytest.CaptureFixture[str]) -> None:
    names = example_of("drain.md")
    service = names["service"]
    assert isinstance(service, Service)
    service.drain()
    assert await names["checkout"](7) == "ordered"
    drain = service._inbound.drain
    drain.announce_end(cut=0)
    await drain.finish_background()
    await drain.close_async()
    assert capsys.readouterr().out.splitlines() == [
        "draining, 0 in flight",
        "drained, 0 cut off",
        "receipt of 7 sent",
        "client closed",
        "pool closed",
        "telemetry flushed",
    ]


async def asked(guide: str, path: str = "/", **headers: str) -> httpx.Response:
    """Return what the app of a guide answers."""
    transport = httpx.ASGITransport(app=example_of(guide)["app"])
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await client.get(path, headers=named)


async def test_the_identity_guide_follows_a_trace() -> None:
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    parent = f"00-{trace_id}-00f067aa0ba902b7-01"
    answer = await asked("identity.md", traceparent=parent, x_request_id="order-7")
    assert answer.text == f"{trace_id} order-7"
    assert answer.headers["x-request-id"] == "order-7"


async def test_the_guide_of_deadlines_takes_the_least() -> None:
    assert 4.0 < float((await asked("deadlines-in.md")).text) <= 5.0
    answer = await asked("deadlines-in.md", x_request_timeout="4s, 2s", grpc_timeout="3S")
    assert 1.0 < float(answer.text) <= 2.0
    for path, left in (("/", "0"), ("/slow", "50ms")):
        late = await asked("deadlines-in.md", path, x_request_timeout=left)
        assert (late.status_code, late.json()["title"]) == (504, "The deadline is exceeded")
