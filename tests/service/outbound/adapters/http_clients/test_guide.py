"""The examples of docs/guides/http-clients.md run as they stand."""

import re
from pathlib import Path
from typing import Any

import pytest
from tests.contract.outbound_http.server import Server, answer, reset

from mainstay import Service
from mainstay.service.outbound.adapters.http_clients import Http
from mainstay.spec.declaration import Declaration
from mainstay.spec.dependency import Dependency

GUIDE = Path(__file__).parents[5] / "docs" / "guides" / "http-clients.md"
PRODUCTS = answer(200, b'[{"name": "Lamp"}, {"name": "Chair"}]', Content_Type="application/json")


@pytest.fixture
def guide() -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": __name__}
    code = "\n".join(re.findall(r"```python\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL))
    exec(compile(code, GUIDE.name, "exec"), names)  # noqa: S102  Our own document.
    return names


@pytest.mark.parametrize("example", ["names", "names_by_aiohttp"])
async def test_the_asynchronous_examples(guide: dict[str, Any], example: str) -> None:
    with Server() as server:
        for path in ("/products", "/products?limit=20"):
            server.on(path, answer(503), PRODUCTS)
        assert await guide[example](server.url) == ["Lamp", "Chair"]


def test_the_example_of_requests(guide: dict[str, Any]) -> None:
    with Server() as server:
        server.on("/products", reset, PRODUCTS)
        assert guide["names_by_requests"](server.url) == ["Lamp", "Chair"]


def test_the_order_is_repeated_with_its_key(guide: dict[str, Any]) -> None:
    with Server() as server:
        server.on("/orders", reset, answer(201))
        assert guide["order"](server.url, "k") == 201
        assert [one.headers["idempotency-key"] for one in server.seen] == ["k", "k"]


def test_the_reasons(guide: dict[str, Any]) -> None:
    with Server() as server:
        server.on("/products", reset)
        reasons = [guide["names_or_reason"](server.url) for _ in range(3)]
    assert reasons == ["ConnectionLost", "ConnectionLost", "busy"]


async def test_a_declared_dependency_makes_its_client(guide: dict[str, Any]) -> None:
    with Server() as server:
        server.on("/products", PRODUCTS)
        declaration = Declaration(
            service="shop",
            app="shop:app",
            dependencies=(("catalog", Dependency(service="catalog")),),
        )
        service = Service(declaration, environ={"MAINSTAY_URL_CATALOG": server.url})
        async with guide["storefront_client"](service) as client:
            assert (await client.get("/products")).status_code == 200


def test_the_endpoints_of_the_example_are_taken(guide: dict[str, Any]) -> None:
    spread = guide["spread"]
    assert isinstance(spread, Http)
    assert spread.balancer is not None
    assert len(spread.balancer.endpoints()) == 2


def test_every_method_is_told() -> None:
    from mainstay.service.outbound.clients.http_clients import HttpClients

    text = GUIDE.read_text("utf-8")
    methods = [name for name in vars(HttpClients) if not name.startswith("_")]
    assert len(methods) == 8
    assert [name for name in methods if f"`{name}(http)`" not in text] == []
