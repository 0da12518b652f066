"""The whole shop in one process: the real apps, joined in place of a network."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx

from mainstay import Service
from mainstay.spec.dependency import Timeouts
from mainstay.spec.load import load_service
from shop.catalog import api as catalog
from shop.database import Database
from shop.payments import api as payments
from shop.payments import ledger
from shop.products import load_stocklist
from shop.recommendations import api as recommendations
from shop.storefront import orderbook, site
from shop.storefront.wiring import Peers

STOREFRONT = Path(__file__).parents[2] / "examples" / "shop" / "storefront"

Transports = Mapping[str, httpx.AsyncBaseTransport]


class Threaded(httpx.AsyncBaseTransport):
    """A WSGI app that answers an asynchronous client. Any: the environment of WSGI."""

    def __init__(self, app: Any) -> None:
        self._inner = httpx.WSGITransport(app)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        content = await request.aread()
        copy = httpx.Request(request.method, request.url, headers=request.headers, content=content)
        answer = await asyncio.to_thread(self._inner.handle_request, copy)
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.read())


class Away(httpx.AsyncBaseTransport):
    """A service that nobody reaches."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)


class Hung(httpx.AsyncBaseTransport):
    """A service that takes a request and never answers."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        del request
        await asyncio.Event().wait()
        raise AssertionError("nobody sets the event")


class AnswerLost(httpx.AsyncBaseTransport):
    """A service that does the work of the first request, whose answer then gets lost."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner
        self.requests = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        answer = await self._inner.handle_async_request(request)
        if self.requests == 1:
            raise httpx.ReadError("reset", request=request)
        return answer


def peers(*, total_s: float = 5.0) -> Peers:
    """Return the policies of a storefront that runs in process, where calls have so much time."""
    loaded = load_service(STOREFRONT, environ={}).system.members[0].declaration
    dependencies = tuple(
        (name, replace(one, timeout=Timeouts(connect_s=1.0, total_s=total_s)))
        for name, one in loaded.dependencies
    )
    urls = {f"MAINSTAY_URL_{name.upper()}": f"http://{name}" for name, _ in dependencies}
    service = Service(replace(loaded, dependencies=dependencies), environ=urls)
    return Peers(
        catalog=service.dependency("catalog"),
        recommendations=service.dependency("recommendations"),
        payments=service.dependency("payments"),
    )


def payments_app(folder: Path) -> Any:
    """Return the payments with a ledger in ``folder``. Any: mypy needs no more than an app."""
    return payments.build(Database(folder / "payments.db", ledger.SCHEMA))


@asynccontextmanager
async def client_of(app: Any) -> AsyncIterator[httpx.AsyncClient]:
    """Run one app and yield a client to it. Any: Starlette and FastAPI alike."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(app.router.lifespan_context(app))
        transport = httpx.ASGITransport(app)
        yield await stack.enter_async_context(
            httpx.AsyncClient(transport=transport, base_url="http://shop")
        )


@asynccontextmanager
async def shop(
    folder: Path, instead: Transports | None = None, *, total_s: float = 5.0
) -> AsyncIterator[httpx.AsyncClient]:
    """Run the shop and yield a client to its storefront.

    Args:
        folder: Where the databases are.
        instead: What answers in place of a service, by its name.
        total_s: How long the storefront waits for each service.
    """
    stocklist = load_stocklist()
    charges = payments_app(folder)
    real: Transports = {
        "catalog": httpx.ASGITransport(catalog.build(stocklist)),
        "recommendations": Threaded(recommendations.build(stocklist)),
        "payments": httpx.ASGITransport(charges),
    }
    transports = {**real, **(instead or {})}
    storefront = site.build(
        peers(total_s=total_s), Database(folder / "orders.db", orderbook.SCHEMA), transports
    )
    async with client_of(charges), client_of(storefront) as client:
        yield client
