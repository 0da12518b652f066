"""The shop for programs: JSON below ``/api``."""

import uuid
from dataclasses import dataclass, fields
from typing import Annotated

from fastapi import APIRouter, Header, Query

from shop.products import Category, Product
from shop.storefront.catalog import Page
from shop.storefront.errors import NotInShop
from shop.storefront.order import Order, OrderRequest
from shop.storefront.recommendations import Recommendation
from shop.storefront.wiring import Wired

Key = Annotated[str | None, Header(alias="Idempotency-Key")]
Limit = Annotated[int, Query(ge=1, le=60)]
Offset = Annotated[int, Query(ge=0, le=10_000)]

router = APIRouter(prefix="/api")


@dataclass(frozen=True, slots=True, kw_only=True)
class Categories:
    """The shelves of the shop."""

    items: tuple[Category, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedOrder(Order):
    """An order that was placed just now, and ids of products that go with it; maybe none."""

    goes_with: tuple[int, ...]


@router.get("/categories")
async def categories(shop: Wired) -> Categories:
    """Return all categories."""
    return Categories(items=await shop.categories())


@router.get("/products")
async def products(
    shop: Wired, category: str | None = None, offset: Offset = 0, limit: Limit = 24
) -> Page:
    """Return products of one category or of all, the popular ones first."""
    return await shop.catalog.page(category=category, offset=offset, limit=limit)


@router.get("/products/{product_id}")
async def product(shop: Wired, product_id: int) -> Product:
    """Return one product."""
    return await shop.catalog.product(product_id)


@router.get("/search")
async def search(
    shop: Wired,
    q: Annotated[str, Query(max_length=200)],
    offset: Offset = 0,
    limit: Limit = 24,
) -> Page:
    """Return the products that have all the words of ``q``."""
    return await shop.catalog.search(q, offset=offset, limit=limit)


@router.get("/recommendations/{product_id}")
async def recommendations(shop: Wired, product_id: int) -> Recommendation:
    """Return what goes with a product; ``degraded`` where popular products stand in."""
    return await shop.recommendations.related(product_id)


@router.post("/orders", status_code=201)
async def place_order(shop: Wired, request: OrderRequest, key: Key = None) -> PlacedOrder:
    """Place an order. With an Idempotency-Key it may be sent again, and is paid once."""
    order_id = str(uuid.uuid4())
    order = await shop.checkout.place(request, key=key or order_id, order_id=order_id)
    goes_with = await shop.recommendations.beside(order.lines[0].product_id)
    kept = {one.name: getattr(order, one.name) for one in fields(order)}
    return PlacedOrder(**kept, goes_with=goes_with)


@router.get("/orders/{order_id}")
async def order(shop: Wired, order_id: str) -> Order:
    """Return one order."""
    found = await shop.checkout.find(order_id)
    if found is None:
        raise NotInShop("There is no such order.")
    return found
