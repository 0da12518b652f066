"""The examples of the guides run as they stand."""

import json
import re
from pathlib import Path
from typing import Any

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
