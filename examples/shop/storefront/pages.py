"""The shop for people: pages to look at."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from shop.storefront.errors import NotInShop
from shop.storefront.render import render
from shop.storefront.wiring import Wired

PAGE_SIZE = 12
ORDERS = {"popular": "Popular", "cheapest": "Price", "name": "Name"}

PageNumber = Annotated[int, Query(ge=1, le=500)]

router = APIRouter(include_in_schema=False)


@router.get("/")
async def home(request: Request, shop: Wired) -> HTMLResponse:
    """Show the shelves and what is popular."""
    categories, popular = await asyncio.gather(shop.categories(), shop.catalog.page(limit=8))
    return await render(request, "home.html", categories=categories, popular=popular.items)


@router.get("/category/{slug}")
async def category(
    request: Request, shop: Wired, slug: str, page: PageNumber = 1, order: str = "popular"
) -> HTMLResponse:
    """Show one shelf, a page at a time."""
    categories = await shop.categories()
    chosen = next((one for one in categories if one.slug == slug), None)
    if chosen is None:
        raise NotInShop("We don't have such a shelf.")
    order = order if order in ORDERS else "popular"
    products = await shop.catalog.page(
        category=slug, order=order, offset=(page - 1) * PAGE_SIZE, limit=PAGE_SIZE
    )
    return await render(
        request,
        "category.html",
        categories=categories,
        category=chosen,
        products=products,
        order=order,
        orders=ORDERS,
        page=page,
        pages=_pages(products.total),
    )


@router.get("/product/{product_id}")
async def product(request: Request, shop: Wired, product_id: int) -> HTMLResponse:
    """Show one product and what goes with it."""
    categories, chosen, recommendation = await asyncio.gather(
        shop.categories(),
        shop.catalog.product(product_id),
        shop.recommendations.related(product_id),
    )
    return await render(
        request,
        "product.html",
        categories=categories,
        category=next(one for one in categories if one.slug == chosen.category),
        product=chosen,
        recommendation=recommendation,
    )


@router.get("/search")
async def search(
    request: Request,
    shop: Wired,
    q: Annotated[str, Query(max_length=200)] = "",
    page: PageNumber = 1,
) -> HTMLResponse:
    """Show what has all the words of the query."""
    categories, products = await asyncio.gather(
        shop.categories(),
        shop.catalog.search(q, offset=(page - 1) * PAGE_SIZE, limit=PAGE_SIZE),
    )
    return await render(
        request,
        "search.html",
        categories=categories,
        query=q,
        products=products,
        page=page,
        pages=_pages(products.total),
    )


def _pages(total: int) -> int:
    return max(1, -(-total // PAGE_SIZE))
