"""What the routes work with, joined in one place and kept for the life of the process."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

import httpx
from fastapi import Depends, Request

from mainstay import Policy
from mainstay.telemetry.metrics import Counter
from shop.database import Database
from shop.products import Category
from shop.storefront.catalog import Catalog
from shop.storefront.checkout import Checkout
from shop.storefront.orderbook import OrderBook
from shop.storefront.payments import Payments
from shop.storefront.recommendations import Recommendations
from shop.storefront.upstream import Upstream


@dataclass(frozen=True, slots=True, kw_only=True)
class Peers:
    """The policies of the services that the storefront calls."""

    catalog: Policy
    recommendations: Policy
    payments: Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """What the routes work with."""

    catalog: Catalog
    recommendations: Recommendations
    checkout: Checkout

    async def categories(self) -> tuple[Category, ...]:
        """Return the categories for the navigation of a page."""
        return await self.catalog.categories(now_s=asyncio.get_running_loop().time())


@asynccontextmanager
async def wired(
    peers: Peers,
    database: Database,
    orders: Counter,
    transports: Mapping[str, httpx.AsyncBaseTransport] | None,
) -> AsyncIterator[Wiring]:
    """Open a client for each service and the order book; close all of them at the end."""
    database.open()
    async with AsyncExitStack() as clients:

        async def upstream(peer: Policy) -> Upstream:
            transport = (transports or {}).get(peer.name)
            client = await clients.enter_async_context(peer.http_client(transport=transport))
            return Upstream(peer.name, client)

        catalog = Catalog(await upstream(peers.catalog))
        payments = Payments(await upstream(peers.payments))
        yield Wiring(
            catalog=catalog,
            recommendations=Recommendations(await upstream(peers.recommendations), catalog),
            checkout=Checkout(catalog, payments, OrderBook(database), orders),
        )
    database.close()


async def wiring_of(request: Request) -> Wiring:
    """Return the wiring of the app that the request came to."""
    # A coroutine though nothing is awaited: FastAPI runs plain functions in a thread.
    wiring: Wiring = request.app.state.wiring
    return wiring


Wired = Annotated[Wiring, Depends(wiring_of)]
