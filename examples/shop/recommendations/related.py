"""Which products go together. Pure: products in, products out."""

from dataclasses import dataclass
from typing import Literal

from shop.products import Product, by_popularity

SAME_CATEGORY = 0.25
"""What a common category adds to the likeness of two products' tags, which is in [0, 1]."""

LIKE_MIN = 0.2
"""Less likeness than this is chance; better to show what is popular."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """Products for one page, and why they are there."""

    items: tuple[Product, ...]
    source: Literal["related", "popular"]


def likeness(one: Product, other: Product) -> float:
    """Return how alike two products are: shared tags over all tags, more in one category."""
    tags, others = set(one.tags), set(other.tags)
    shared = len(tags & others) / len(tags | others)
    return shared + (SAME_CATEGORY if one.category == other.category else 0.0)


def recommend(products: tuple[Product, ...], product_id: int, *, limit: int) -> Recommendation:
    """Return ``limit`` products in stock that go with one, or popular ones where few do."""
    on_sale = [product for product in products if product.stock and product.id != product_id]
    chosen = next((product for product in products if product.id == product_id), None)
    if chosen is not None:
        scored = [(likeness(chosen, product), product) for product in on_sale]
        related = [(score, product) for score, product in scored if score >= LIKE_MIN]
        if len(related) >= limit:
            related.sort(key=lambda pair: (-pair[0], by_popularity(pair[1])))
            items = tuple(product for _, product in related[:limit])
            return Recommendation(items=items, source="related")
    popular = sorted(on_sale, key=by_popularity)[:limit]
    return Recommendation(items=tuple(popular), source="popular")
