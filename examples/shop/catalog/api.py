"""The catalog's HTTP interface. It only reads, so every request may be sent again."""

from typing import Annotated

from fastapi import FastAPI, HTTPException, Query

from shop.catalog.search import Index
from shop.catalog.shelf import PAGE_MAX, Order, Page, Shelf, cut
from shop.products import Category, Product, Stocklist

Ids = Annotated[list[int] | None, Query(max_length=PAGE_MAX)]
Limit = Annotated[int, Query(ge=1, le=PAGE_MAX)]
Offset = Annotated[int, Query(ge=0, le=10_000)]
Words = Annotated[str, Query(max_length=200)]


def build(stocklist: Stocklist) -> FastAPI:
    """Return the catalog of ``stocklist``."""
    app = FastAPI(title="Catalog", docs_url=None, redoc_url=None)
    shelf = Shelf(stocklist)
    index = Index(stocklist.products)

    @app.get("/categories")
    async def categories() -> tuple[Category, ...]:
        return shelf.categories

    @app.get("/products")
    async def products(
        id: Ids = None,  # noqa: A002  The name in the address: ?id=1&id=2.
        category: str | None = None,
        order: Order = "popular",
        offset: Offset = 0,
        limit: Limit = 24,
    ) -> Page:
        if id is not None:
            return shelf.products(id)
        return shelf.page(category=category, order=order, offset=offset, limit=limit)

    @app.get("/products/{product_id}")
    async def product(product_id: int) -> Product:
        found = shelf.product(product_id)
        if found is None:
            raise HTTPException(404, f"There is no product {product_id}.")
        return found

    @app.get("/search")
    async def search(q: Words, offset: Offset = 0, limit: Limit = 24) -> Page:
        return cut(index.search(q), offset=offset, limit=limit)

    return app
