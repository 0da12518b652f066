"""The storefront: pages and JSON in one app."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from mainstay.telemetry.metrics import Counter
from shop.database import Database
from shop.storefront import api, basket, pages
from shop.storefront.refuse import HANDLERS
from shop.storefront.wiring import Peers, wired

STATIC = Path(__file__).with_name("static")


def build(
    peers: Peers,
    database: Database,
    orders: Counter,
    transports: Mapping[str, httpx.AsyncBaseTransport] | None = None,
) -> FastAPI:
    """Return the storefront.

    Args:
        peers: The policies of the services that it calls.
        database: Where orders are kept; open while the app runs.
        orders: Counts them by their state.
        transports: For tests: what answers in place of the network, for each service.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with wired(peers, database, orders, transports) as wiring:
            app.state.wiring = wiring
            yield

    app = FastAPI(
        title="The Quayside Store",
        lifespan=lifespan,
        # The interactive pages would load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        exception_handlers=HANDLERS,
    )
    app.include_router(api.router)
    app.include_router(pages.router)
    app.include_router(basket.router)
    app.mount("/static", StaticFiles(directory=STATIC))
    return app
