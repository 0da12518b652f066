"""The catalog: shelf, search, and its HTTP interface."""

from collections.abc import AsyncIterator

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.examples.together import alone

from shop.catalog.api import build
from shop.catalog.search import Index
from shop.catalog.shelf import Shelf
from shop.products import load_stocklist

STOCKLIST = load_stocklist()
INDEX = Index(STOCKLIST.products)
SHELF = Shelf(STOCKLIST)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with alone("catalog", build(STOCKLIST)) as client:
        yield client


def test_a_product_is_found_by_the_words_of_its_name() -> None:
    for product in STOCKLIST.products:
        assert product in INDEX.search(product.name), product.name


def test_all_words_must_match() -> None:
    brass, pen, both = (
        {product.id for product in INDEX.search(query)} for query in ("brass", "pen", "brass pen")
    )
    assert both == brass & pen
    assert both
    assert both < brass


def test_the_beginning_of_a_word_matches_and_counts_less() -> None:
    names = [product.name for product in INDEX.search("teap")]
    assert sorted(names) == ["Cast Iron Teapot, 0.9 l", "Glass Teapot with Strainer"]
    # "pen" stands in "Brass Ballpoint Pen" and only begins "Pencils" and "Pendant".
    found = [product.name for product in INDEX.search("pen")]
    assert found.index("Brass Ballpoint Pen") < found.index("Pencils HB, box of 12")


@given(query=st.text(max_size=200))
def test_any_query_gets_an_answer(query: str) -> None:
    found = INDEX.search(query)
    assert len(found) == len({product.id for product in found})


@given(
    offset=st.integers(min_value=0, max_value=30),
    limit=st.integers(min_value=1, max_value=60),
    order=st.sampled_from(["popular", "cheapest", "name"]),
)
def test_pages_are_parts_of_one_list(offset: int, limit: int, order: str) -> None:
    whole = SHELF.page(category="garden", order=order, offset=0, limit=60)  # type: ignore[arg-type]  # one of the three words
    part = SHELF.page(category="garden", order=order, offset=offset, limit=limit)  # type: ignore[arg-type]  # as above
    assert part.items == whole.items[offset : offset + limit]
    assert part.total == len(whole.items) == 20


async def test_categories_and_products(client: httpx.AsyncClient) -> None:
    categories = (await client.get("/categories")).json()
    assert [one["slug"] for one in categories][:2] == ["kitchen", "coffee"]
    page = (await client.get("/products", params={"category": "camp", "limit": 3})).json()
    assert page["total"] == 20
    assert [one["category"] for one in page["items"]] == ["camp"] * 3
    sold = [one["sold"] for one in page["items"]]
    assert sold == sorted(sold, reverse=True)


async def test_products_by_id_come_in_the_order_asked_for(client: httpx.AsyncClient) -> None:
    page = (await client.get("/products", params={"id": [7, 3, 99999, 5]})).json()
    assert [one["id"] for one in page["items"]] == [7, 3, 5]


async def test_one_product(client: httpx.AsyncClient) -> None:
    answer = await client.get("/products/21")
    assert answer.json()["name"] == "Pour-Over Dripper, porcelain"


@pytest.mark.parametrize(
    ("path", "status", "title"),
    [
        ("/products/99999", 404, "Not Found"),
        ("/nothing", 404, "Not Found"),
        ("/products/abc", 422, "The input is not valid"),
        ("/products?limit=0", 422, "The input is not valid"),
        ("/products?limit=61", 422, "The input is not valid"),
        ("/products?offset=-1", 422, "The input is not valid"),
        ("/products?order=best", 422, "The input is not valid"),
        ("/search", 422, "The input is not valid"),
        ("/search?q=" + "x" * 201, 422, "The input is not valid"),
        ("/products?" + "&".join(f"id={n}" for n in range(61)), 422, "The input is not valid"),
    ],
)
async def test_what_is_refused_is_a_problem_document(
    client: httpx.AsyncClient, path: str, status: int, title: str
) -> None:
    answer = await client.get(path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.json()["status"], answer.json()["title"]) == (status, title)
