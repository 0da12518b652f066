"""The storefront as people see it: real apps behind it, joined in process."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.examples.kept import Stores
from tests.examples.together import BROWSER, Away, Hung, service, shop

from shop.catalog.api import build as build_catalog
from shop.money import euros
from shop.products import load_stocklist
from shop.storefront.cart import LINES_MAX, QUANTITY_MAX, Cart


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with shop(tmp_path) as client:
        yield client


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/", "Popular this month"),
        ("/category/camp", "20 products"),
        ("/category/camp?order=cheapest&page=2", "Page 2 of 2"),
        ("/product/42", "Pocket Notebooks, set of 3"),
        ("/product/42", "Goes well with it"),
        ("/search?q=teapot", "Glass Teapot with Strainer"),
        ("/search?q=zzzz", "No products"),
        ("/search", "Write a word above"),
        ("/cart", "There is nothing in it yet"),
    ],
)
async def test_pages(client: httpx.AsyncClient, path: str, text: str) -> None:
    answer = await client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert text in answer.text


async def test_pages_load_nothing_from_elsewhere_and_run_no_script(
    client: httpx.AsyncClient,
) -> None:
    for path in ("/", "/product/1", "/static/shop.css", "/static/icons.svg"):
        answer = await client.get(path)
        loaded = re.findall(r"(?:src|href|url|action)[=(]\"?([^\")\s>]+)", answer.text)
        assert all(one.startswith(("/", "#", "?")) for one in loaded), loaded
        assert "<script" not in answer.text
    policy = (await client.get("/")).headers["content-security-policy"].split("; ")
    assert {"default-src 'none'", "script-src 'none'", "style-src 'self'"} <= set(policy)
    assert not any("unsafe" in directive or "http" in directive for directive in policy)


async def test_links_of_the_pages_lead_somewhere(client: httpx.AsyncClient) -> None:
    seen: set[str] = set()
    for path in ("/", "/product/3", "/search?q=steel"):
        page = (await client.get(path)).text
        seen |= {one.replace("&amp;", "&") for one in re.findall(r'href="(/[^"#]*)', page)}
    assert len(seen) > 30
    for path in sorted(seen):
        assert (await client.get(path)).status_code == 200, path


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/product/99999", "/product/abc", "/category/none", "/orders/none", "/?page=x/y"],
)
async def test_what_is_not_there_is_a_page(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path, headers=BROWSER)
    if path.startswith("/?"):
        assert answer.status_code == 200
        return
    assert answer.status_code == 404
    assert "<h1>Not found</h1>" in answer.text


async def test_what_is_not_there_is_a_problem_for_programs(client: httpx.AsyncClient) -> None:
    for path in ("/nothing", "/api/nothing", "/api/products/99999", "/api/products/abc"):
        answer = await client.get(path)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["request_id"] == answer.headers["x-request-id"]


async def test_another_host_is_not_served(client: httpx.AsyncClient) -> None:
    answer = await client.get("/", headers={"Host": "evil.example"})
    assert answer.status_code == 421


async def test_what_people_write_is_never_markup(client: httpx.AsyncClient) -> None:
    answer = await client.get("/search", params={"q": "<script>alert(1)</script>"})
    assert "<script>" not in answer.text
    assert "&lt;script&gt;" in answer.text


async def test_without_recommendations_a_page_shows_what_is_popular_and_says_so(
    tmp_path: Path,
) -> None:
    async with shop(tmp_path, {"recommendations": Away()}) as client:
        page = await client.get("/product/42")
        data = (await client.get("/api/recommendations/42")).json()
    assert page.status_code == 200
    assert 'data-source="popular" data-degraded="true"' in page.text
    assert "Recommendations are taking a break" in page.text
    assert (data["source"], data["degraded"], len(data["items"])) == ("popular", True, 4)


async def test_without_payments_people_can_look_around(tmp_path: Path) -> None:
    async with shop(tmp_path, {"payments": Away()}) as client:
        for path in ("/", "/product/42", "/cart"):
            assert (await client.get(path)).status_code == 200


@pytest.mark.parametrize("path", ["/", "/product/42", "/category/camp", "/search?q=wool"])
async def test_without_the_catalog_a_page_asks_for_patience(tmp_path: Path, path: str) -> None:
    async with shop(tmp_path, {"catalog": Away()}) as client:
        answer = await client.get(path, headers=BROWSER)
        data = await client.get("/api/products/42")
    assert answer.status_code == data.status_code == 503
    assert answer.headers["retry-after"] == "2"
    assert "<h1>One moment, please</h1>" in answer.text
    assert data.headers["retry-after"] == "2"
    assert data.headers["content-type"] == "application/problem+json"


async def test_a_catalog_that_hangs_is_given_up(tmp_path: Path) -> None:
    async with shop(tmp_path, {"catalog": Hung()}, total_s=0.001) as client:
        answer = await client.get("/api/products/42")
    assert answer.status_code == 503


async def _basket(client: httpx.AsyncClient) -> list[tuple[str, str]]:
    """Return (product id, quantity) of each line."""
    page = (await client.get("/cart")).text
    return re.findall(r'id="quantity-(\d+)".*value="(\d+)"', page)


async def test_the_basket_is_in_the_session_and_not_in_the_cookie(
    client: httpx.AsyncClient,
) -> None:
    assert "set-cookie" not in (await client.get("/")).headers
    for product_id in ("42", "1", "42"):
        answer = await client.post("/cart", data={"product_id": product_id})
        assert (answer.status_code, answer.headers["location"]) == (303, "/cart")
    page = (await client.get("/cart")).text
    assert "Order for €64.00" in page  # 2 × 11.00 + 42.00
    await client.post("/cart", data={"product_id": "1", "quantity": "0"})
    assert "Order for €22.00" in (await client.get("/cart")).text
    assert await _basket(client) == [("42", "2")]
    # 32 bytes of an id and as many of its signature, however much is in the basket.
    assert len(client.cookies["session"]) < 100


async def test_a_partner_s_pages_may_read_and_order_nothing(client: httpx.AsyncClient) -> None:
    partner = {"Origin": "https://partner.example.com"}
    read = await client.get("/api/products/42", headers=partner)
    assert read.headers["access-control-allow-origin"] == partner["Origin"]
    assert "access-control-allow-credentials" not in read.headers
    stranger = await client.get("/api/products/42", headers={"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in stranger.headers
    asked = {**partner, "Access-Control-Request-Method": "POST"}
    preflight = await client.options("/api/orders", headers=asked)
    assert "POST" not in preflight.headers.get("access-control-allow-methods", "")


async def test_nobody_can_make_a_session_up(client: httpx.AsyncClient) -> None:
    await client.post("/cart", data={"product_id": "42"})
    forged = client.cookies["session"][:-4] + "AAAA"
    client.cookies.clear()
    page = await client.get("/cart", headers={"Cookie": f"session={forged}"})
    assert "There is nothing in it yet" in page.text


@pytest.mark.parametrize("field", ["x", "-1", "", "1.5", "9" * 30, "²"])
async def test_a_basket_ignores_what_is_no_product(client: httpx.AsyncClient, field: str) -> None:
    await client.post("/cart", data={"product_id": "1"})
    await client.post("/cart", data={"product_id": field})
    await client.post("/cart", data={"product_id": "1", "quantity": field})
    assert await _basket(client) == [("1", "1")]


@pytest.mark.parametrize("path", ["/", "/product/42", "/category/camp", "/search?q=wool"])
async def test_pages_do_without_the_store(tmp_path: Path, path: str) -> None:
    stores = Stores()
    async with shop(tmp_path, stores=stores) as client:
        await client.post("/cart", data={"product_id": "42"})
        there = await client.get(path)
        stores.away = True
        away = await client.get(path)
        stores.away = False
        back = await client.get(path)
    assert there.status_code == away.status_code == back.status_code == 200
    assert '<b>1<span class="hidden"> in it' in there.text
    assert '<b>1<span class="hidden"> in it' not in away.text
    assert back.text == there.text


async def test_a_form_that_is_too_long_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.post("/cart", content=b"x=" + b"y" * 9000)
    assert answer.status_code == 413
    answer = await client.post("/cart", content=b"\xff=1")
    assert answer.status_code == 422
    answer = await client.post("/cart", content=b"x=" + b"y" * 70_000)
    assert answer.json()["type"].endswith("#body-too-large")


@given(
    changes=st.lists(
        st.tuples(st.integers(min_value=1, max_value=30), st.integers(min_value=0, max_value=12)),
        max_size=40,
    )
)
def test_whatever_is_put_into_it_the_basket_is_within_bounds(
    changes: list[tuple[int, int]],
) -> None:
    cart = Cart()
    for product_id, quantity in changes:
        cart = cart.put(product_id, quantity) if quantity != 1 else cart.add(product_id)
        assert len(cart.lines) <= LINES_MAX
        assert all(1 <= amount <= QUANTITY_MAX for _, amount in cart.lines)


def test_money_is_written_in_euros() -> None:
    assert [euros(cents) for cents in (0, 5, 890, 124_900)] == [
        "€0.00",
        "€0.05",
        "€8.90",
        "€1,249.00",
    ]


async def test_categories_are_asked_for_once_for_many_pages(tmp_path: Path) -> None:
    """Home costs one call to the catalog, not two."""
    asked: list[str] = []

    class Counted(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            asked.append(request.url.path)
            return await real.handle_async_request(request)

    real = httpx.ASGITransport(service("catalog").asgi(build_catalog(load_stocklist())))
    async with shop(tmp_path, {"catalog": Counted()}) as client:
        for _ in range(3):
            assert (await client.get("/")).status_code == 200
    assert sorted(asked) == ["/categories"] + ["/products"] * 3
