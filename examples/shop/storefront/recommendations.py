"""Recommendations, and what stands in for them."""

from dataclasses import dataclass
from typing import Literal

from pydantic import TypeAdapter

from shop.products import Product
from shop.storefront.catalog import Catalog
from shop.storefront.errors import NotInShop, ServiceAway
from shop.storefront.upstream import Upstream

SHOWN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """Products for one page, and why they are there.

    Attributes:
        degraded: Whether they stand in for recommendations that could not be had.
    """

    items: tuple[Product, ...]
    source: Literal["related", "popular"]
    degraded: bool = False


_RECOMMENDATION = TypeAdapter(Recommendation)


class Recommendations:
    """What goes with a product. The service is optional: without it, popular products do."""

    def __init__(self, upstream: Upstream, catalog: Catalog) -> None:
        self._upstream = upstream
        self._catalog = catalog

    async def related(self, product_id: int) -> Recommendation:
        """Return related products or, marked, popular ones. Raises as the catalog does."""
        try:
            answer = await self._upstream.get(f"/related/{product_id}", {"limit": SHOWN})
        except ServiceAway:
            popular = await self._catalog.page(limit=SHOWN)
            return Recommendation(items=popular.items, source="popular", degraded=True)
        if answer.status_code != 200:
            raise NotInShop("We don't have this product.")
        return _RECOMMENDATION.validate_json(answer.content)
