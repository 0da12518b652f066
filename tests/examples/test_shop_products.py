"""The data of the shop, as its pages rely on it."""

import json
from collections import Counter
from pathlib import Path

import pytest

from shop.products import Stocklist, load_stocklist


@pytest.fixture(scope="module")
def stocklist() -> Stocklist:
    return load_stocklist()


def test_every_product_can_be_shown_and_sold(stocklist: Stocklist) -> None:
    slugs = {category.slug for category in stocklist.categories}
    for product in stocklist.products:
        assert product.category in slugs, product
        assert product.price_cents > 0, product
        assert product.stock >= 0 < product.sold, product
        assert product.name == product.name.strip(), product
        assert len(product.name) <= 60, product
        assert product.description.endswith((".", "!", "?")), product
        assert 1 <= len(product.tags) == len(set(product.tags)), product


def test_ids_and_names_are_unique(stocklist: Stocklist) -> None:
    assert len({product.id for product in stocklist.products}) == len(stocklist.products)
    assert len({product.name for product in stocklist.products}) == len(stocklist.products)


def test_there_are_about_two_hundred_products_on_full_shelves(stocklist: Stocklist) -> None:
    per_category = Counter(product.category for product in stocklist.products)
    assert len(stocklist.products) >= 200
    assert len(stocklist.categories) == 10
    assert min(per_category[category.slug] for category in stocklist.categories) >= 10


def test_some_products_are_sold_out(stocklist: Stocklist) -> None:
    """The shop has something to say about them, so they must occur."""
    assert 1 <= sum(product.stock == 0 for product in stocklist.products) < 10


def test_an_entry_with_a_field_too_few_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "products.json"
    path.write_text(json.dumps({"categories": [], "products": [{"id": 1, "tags": []}]}))
    with pytest.raises(TypeError, match="price_cents"):
        load_stocklist(path)
