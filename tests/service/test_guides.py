"""The examples of the guides run as they stand."""

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
    outcomes = service._board.ask(critical_only=False)
    assert {name: one.finding.status.value for name, one in outcomes.items() if name in
            {"ledger", "queue"}} == {"ledger": "pass", "queue": "pass"}  # fmt: skip


def test_the_listener_of_the_drain_guide_hears(capsys: pytest.CaptureFixture[str]) -> None:
    service = example_of("drain.md")["service"]
    assert isinstance(service, Service)
    service.drain()
    service._inbound.drain.announce_end(cut=0)
    assert capsys.readouterr().out == "draining, 0 in flight\ndrained, 0 cut off\n"
