"""The storefront's own description of its API, and requests that are made from it by chance."""

import asyncio
import json
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from tests.examples.together import shop

from shop.storefront import api

with warnings.catch_warnings():
    # Its own imports use what others have deprecated.
    warnings.simplefilter("ignore")
    import schemathesis

EXAMPLES = 30
Ask = Callable[..., httpx.Response]


def described() -> dict[str, Any]:
    """Return the description of the part for programs. Any: it is JSON."""
    app = FastAPI()
    app.include_router(api.router)
    return app.openapi()


OPERATIONS = [
    (method.upper(), path) for path, methods in described()["paths"].items() for method in methods
]


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """Ask the shop, which runs in a loop that only runs while it is asked."""
    with asyncio.Runner() as runner:
        context = shop(tmp_path_factory.mktemp("shop"))
        client = runner.run(context.__aenter__())

        def asked(method: str, url: str, **how: Any) -> httpx.Response:
            return runner.run(client.request(method, url, **how))

        yield asked
        runner.run(context.__aexit__(None, None, None))


def test_what_is_described_is_what_is_served(ask: Ask) -> None:
    served = ask("GET", "/api/openapi.json").json()["paths"]
    for path, methods in described()["paths"].items():
        assert served[path].keys() == methods.keys()


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_no_request_ends_in_a_500(ask: Ask, method: str, path: str) -> None:
    """Valid ones and others: what is refused is refused as a problem with ids."""
    schema = schemathesis.openapi.from_dict(described())
    modes = schemathesis.GenerationMode
    strategy = st.one_of(
        *(schema[path][method].as_strategy(generation_mode=mode) for mode in modes)
    )
    statuses: set[int] = set()

    @seed(20261122)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def law(case: Any) -> None:
        how = case.as_transport_kwargs(base_url="http://localhost")
        answer = ask(
            how["method"],
            how["url"],
            params=how.get("params"),
            headers=dict(how.get("headers") or {}),
            content=body_of(how),
        )
        statuses.add(answer.status_code)
        assert answer.status_code < 500, answer.text
        if answer.status_code >= 400:
            assert answer.json()["request_id"] == answer.headers["x-request-id"]

    law()
    # The app itself was reached, and not its bounds alone.
    assert statuses & {200, 201, 404}


@pytest.mark.parametrize("number", ["-1", "0", "9" * 30, "-" + "9" * 30])
@pytest.mark.parametrize("path", ["/api/products/", "/api/recommendations/"])
def test_numbers_that_no_product_has(ask: Ask, path: str, number: str) -> None:
    """Found by chance: recommendations of -1 were a 500."""
    assert ask("GET", path + number).status_code in {200, 404, 422}


def body_of(how: dict[str, Any]) -> bytes | None:
    if how.get("json") is not None:
        return json.dumps(how["json"]).encode()
    data = how.get("data")
    return data.encode() if isinstance(data, str) else data
