"""Recommendations: pure choice, and its WSGI interface."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.examples.together import service
from werkzeug.test import Client

from shop.products import load_stocklist
from shop.recommendations.api import build
from shop.recommendations.related import likeness, recommend

STOCKLIST = load_stocklist()
IDS = [product.id for product in STOCKLIST.products]


@pytest.fixture
def client() -> Client:
    return Client(service("recommendations").wsgi(build(STOCKLIST)))


@given(product_id=st.sampled_from(IDS), limit=st.integers(min_value=1, max_value=24))
def test_recommended_are_others_in_stock_and_each_once(product_id: int, limit: int) -> None:
    items = recommend(STOCKLIST.products, product_id, limit=limit).items
    assert len(items) == limit == len({product.id for product in items})
    assert all(product.stock and product.id != product_id for product in items)


@given(product_id=st.sampled_from(IDS))
def test_the_most_alike_come_first(product_id: int) -> None:
    chosen = next(product for product in STOCKLIST.products if product.id == product_id)
    recommendation = recommend(STOCKLIST.products, product_id, limit=4)
    assert recommendation.source == "related"
    scores = [likeness(chosen, product) for product in recommendation.items]
    assert scores == sorted(scores, reverse=True)
    left_out = [
        likeness(chosen, product)
        for product in STOCKLIST.products
        if product.stock and product != chosen and product not in recommendation.items
    ]
    assert min(scores) >= max(left_out)


def test_an_unknown_product_gets_what_is_popular() -> None:
    recommendation = recommend(STOCKLIST.products, 99999, limit=3)
    assert recommendation.source == "popular"
    sold = [product.sold for product in recommendation.items]
    assert sold == sorted((product.sold for product in STOCKLIST.products), reverse=True)[:3]


def test_over_http(client: Client) -> None:
    answer = client.get("/related/42?limit=2")
    assert answer.status_code == 200
    assert answer.json is not None
    assert len(answer.json["items"]) == 2
    assert answer.json["source"] == "related"


@pytest.mark.parametrize(
    ("path", "status"),
    [("/related/1?limit=0", 422), ("/related/1?limit=25", 422), ("/related/x", 404), ("/", 404)],
)
def test_what_is_refused_is_a_problem_document(client: Client, path: str, status: int) -> None:
    answer = client.get(path)
    assert answer.status_code == status
    assert answer.content_type == "application/problem+json"
    assert answer.json is not None
    assert answer.json["status"] == status
