"""The catalog as the storefront sees it."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import TypeAdapter

from shop.products import Category, Product
from shop.storefront.errors import NotInShop
from shop.storefront.upstream import Upstream

CATEGORIES_KEPT_S = 60.0
"""Categories are on every page and change with a delivery, so they are asked for once a minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A part of a longer list of products; ``total`` is the whole list's length."""

    items: tuple[Product, ...]
    total: int


# Built once: an adapter compiles the checks of its type.
_CATEGORIES = TypeAdapter(tuple[Category, ...])
_PAGE = TypeAdapter(Page)
_PRODUCT = TypeAdapter(Product)


class Catalog:
    """Products and categories. Every method may raise ServiceAway."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._categories: tuple[Category, ...] = ()
        self._categories_until_s = 0.0

    async def categories(self, *, now_s: float) -> tuple[Category, ...]:
        """Return all categories, as they were at most a minute before ``now_s`` (monotonic)."""
        if not self._categories or now_s >= self._categories_until_s:
            answer = await self._upstream.get("/categories")
            self._categories = _CATEGORIES.validate_json(answer.content)
            self._categories_until_s = now_s + CATEGORIES_KEPT_S
        return self._categories

    async def product(self, product_id: int) -> Product:
        """Return one product; raises NotInShop where there is none."""
        answer = await self._upstream.get(f"/products/{product_id}")
        if answer.status_code != 200:
            raise NotInShop("We don't have this product.")
        return _PRODUCT.validate_json(answer.content)

    async def products(self, ids: Sequence[int]) -> dict[int, Product]:
        """Return those of ``ids`` that exist."""
        if not ids:
            return {}
        answer = await self._upstream.get("/products", {"id": ids})
        return {product.id: product for product in _PAGE.validate_json(answer.content).items}

    async def page(
        self, *, category: str | None = None, order: str = "popular", offset: int = 0, limit: int
    ) -> Page:
        """Return products of one category, or of all."""
        chosen = {} if category is None else {"category": category}
        answer = await self._upstream.get(
            "/products", {"order": order, "offset": offset, "limit": limit, **chosen}
        )
        return _PAGE.validate_json(answer.content)

    async def search(self, words: str, *, offset: int = 0, limit: int) -> Page:
        """Return what has all the words, the best match first."""
        answer = await self._upstream.get("/search", {"q": words, "offset": offset, "limit": limit})
        return _PAGE.validate_json(answer.content)
