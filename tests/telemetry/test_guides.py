"""The examples of the guides about traces and error reports do what is said of them."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.telemetry.reports.receiver import receiving as receiving_reports
from tests.telemetry.traces.receiver import attributes_of, receiving

GUIDES = Path(__file__).parents[2] / "docs" / "guides"


def run(guide: str) -> dict[str, Any]:
    """Run all examples in Python of a guide, one after the other; return their names."""
    names: dict[str, Any] = {"__name__": "example"}
    for block in re.findall(r"```python\n(.*?)```", (GUIDES / guide).read_text("utf-8"), re.DOTALL):
        exec(block, names)  # noqa: S102  It is what a reader would run.
    return names


def test_the_guide_about_traces(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        names = run("traces.md")
        assert names["tracing"].exporter.dropped == {}
        assert asyncio.run(names["quote"]([{"amount": 5.0}])) == 5.0
        # The process's provider is the first one's, which another test may have made.
        for span in receiver.spans:
            assert attributes_of(span).get("order.total", 12.5) == 12.5


def test_the_guide_about_telemetry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    text = (GUIDES / "telemetry.md").read_text("utf-8")
    (declared,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    (tmp_path / "mainstay.yaml").write_text(f"service: shop\napp: shop:app\n{declared}", "utf-8")
    monkeypatch.chdir(tmp_path)
    names = run("telemetry.md")

    async def ask() -> str:
        transport = httpx.ASGITransport(app=names["app"])
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
            assert (await client.post("/orders/o-17")).status_code == 200
            return (await client.get("/metrics")).text

    assert 'orders_total{state="confirmed"} 1' in asyncio.run(ask())
    lines = [json.loads(line) for line in capfdbinary.readouterr().out.splitlines()]
    (placed,) = (line for line in lines if line["event"] == "order placed")
    assert (placed["order_id"], placed["environment"]) == ("o-17", "production")
    assert len(placed["trace_id"]) == 32
    (reindexed,) = (line for line in lines if line["event"] == "reindexed")
    assert (reindexed["service"], reindexed["rows"]) == ("reindex", 250)


def test_the_guide_about_error_reports() -> None:
    with receiving_reports() as reported:
        assert run("error-reports.md")["main"](reported.dsn) is not None
        [event] = reported.events
    assert event["exception"]["values"][-1]["type"] == "KeyError"
    assert (event["release"], event["environment"]) == ("reindex@dev", "production")
