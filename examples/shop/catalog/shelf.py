"""The shelf: products by id, by category and in order."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from shop.products import Category, Product, Stocklist, by_popularity

Order = Literal["popular", "cheapest", "name"]

PAGE_MAX = 60
"""Products of one answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A part of a longer list; ``total`` is the whole list's length."""

    items: tuple[Product, ...]
    total: int


class Shelf:
    """All products, sorted once in each of the three orders."""

    def __init__(self, stocklist: Stocklist) -> None:
        self.categories: tuple[Category, ...] = stocklist.categories
        self._by_id = {product.id: product for product in stocklist.products}
        products = stocklist.products
        self._ordered: dict[Order, list[Product]] = {
            "popular": sorted(products, key=by_popularity),
            "cheapest": sorted(products, key=lambda product: (product.price_cents, product.id)),
            "name": sorted(products, key=lambda product: product.name),
        }

    def product(self, product_id: int) -> Product | None:
        """Return one product, or None where there is no such id."""
        return self._by_id.get(product_id)

    def products(self, ids: Sequence[int]) -> Page:
        """Return the products of ``ids`` in that order; unknown ids are left out."""
        items = tuple(self._by_id[one] for one in ids if one in self._by_id)
        return Page(items=items, total=len(items))

    def page(self, *, category: str | None, order: Order, offset: int, limit: int) -> Page:
        """Return a page of one category, or of all where ``category`` is None."""
        matching = [
            product
            for product in self._ordered[order]
            if category is None or product.category == category
        ]
        return cut(matching, offset=offset, limit=limit)


def cut(products: Sequence[Product], *, offset: int, limit: int) -> Page:
    """Return ``limit`` products from ``offset`` on."""
    return Page(items=tuple(products[offset : offset + limit]), total=len(products))
