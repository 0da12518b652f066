"""The examples of the guide run as they stand."""

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from mainstay.spec.load import load_service
from mainstay.spec.ratelimit import RateLimit

GUIDE = (Path(__file__).parents[4] / "docs" / "guides" / "rate-limits.md").read_text("utf-8")


def block(language: str, number: int = 0) -> str:
    found: str = re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)[number]
    return found


def limits(text: str, folder: Path) -> tuple[RateLimit, ...]:
    (folder / "mainstay.yaml").write_text(text)
    declared = load_service(folder, environ={}).system.members[0].declaration.inbound.rate_limit
    assert declared is not None
    return declared


async def test_the_example_limits_exports_by_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(limits(block("yaml"), tmp_path)) == 5
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(block("python"), "rate-limits.md", "exec"), names)  # noqa: S102  Our own.
    assert names["service"]._inbound.limits.unregistered() == ()
    transport = httpx.ASGITransport(app=names["app"])
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:

        async def statuses(path: str, user: str, count: int) -> list[int]:
            headers = {"authorization": user}
            return [(await client.get(path, headers=headers)).status_code for _ in range(count)]

        assert await statuses("/reports/year", "ann", 3) == [200, 200, 429]
        assert await statuses("/reports/month", "bob", 21) == [200] * 20 + [429]
        answer = await client.get("/reports/month", headers={"authorization": "bob"})
        assert answer.json()["title"] == "Too many requests"
        assert int(answer.headers["retry-after"]) in range(170, 181)
        assert answer.headers["ratelimit"].startswith('"exports";r=0;t=')
        assert '"address";q=200;w=2, "user";q=1000;w=3600' in answer.headers["ratelimit-policy"]


def test_the_example_with_a_store_is_valid(tmp_path: Path) -> None:
    address, login = limits(block("yaml", 1), tmp_path)
    assert (address.store, login.store) == (None, "cache")
