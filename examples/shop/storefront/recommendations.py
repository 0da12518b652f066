"""Recommendations, and what stands in for them."""

from dataclasses import dataclass
from typing import Literal

from pydantic import TypeAdapter, ValidationError

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

    async def beside(self, product_id: int) -> tuple[int, ...]:
        """Return the ids of what goes with a product; none where they can't be had.

        They are shown beside an order that is paid, so nothing that is wrong with them may fail it.
        """
        try:
            recommendation = await self._ask(product_id)
        except (ServiceAway, NotInShop, ValidationError):
            return ()
        return tuple(product.id for product in recommendation.items)

    async def related(self, product_id: int) -> Recommendation:
        """Return related products or, marked, popular ones. Raises as the catalog does."""
        try:
            return await self._ask(product_id)
        except ServiceAway:
            popular = await self._catalog.page(limit=SHOWN)
            return Recommendation(items=popular.items, source="popular", degraded=True)

    async def _ask(self, product_id: int) -> Recommendation:
        """Return what the service says. Raises ServiceAway, and NotInShop for no such product."""
        answer = await self._upstream.get(f"/related/{product_id}", {"limit": SHOWN})
        if answer.status_code != 200:
            raise NotInShop("We don't have this product.")
        return _RECOMMENDATION.validate_json(answer.content)
