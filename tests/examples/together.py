"""The whole shop in one process: the real apps, wrapped, and joined in place of a network."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
from tests.examples.kept import Stores
from tests.telemetry.logs.sinks import silent_writer

from mainstay import Service
from mainstay.spec.dependency import Timeouts
from mainstay.spec.kinds.secret import Secret
from mainstay.spec.load import load_service
from shop.catalog import api as catalog
from shop.database import Database
from shop.payments import api as payments
from shop.payments import ledger
from shop.products import load_stocklist
from shop.recommendations import api as recommendations
from shop.storefront import orderbook, site
from shop.storefront.wiring import Peers

SHOP = Path(__file__).parents[2] / "examples" / "shop"

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
"""What tells people from programs."""

Transports = Mapping[str, httpx.AsyncBaseTransport]


class Threaded(httpx.AsyncBaseTransport):
    """A WSGI app that answers an asynchronous client. Any: ours, or a framework's."""

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


def service(name: str, stores: Stores | None = None, *, total_s: float = 5.0) -> Service:
    """Return a service as it is declared, but for how long its calls may take.

    Args:
        name: Its folder.
        stores: What its parts stand on.
        total_s: How long a call may take. Nothing is called twice, since that takes a pause.
    """
    loaded = load_service(SHOP / name, environ={}).system.members[0].declaration
    dependencies = tuple(
        (known, replace(one, timeout=Timeouts(connect_s=1.0, total_s=total_s), retry=None))
        for known, one in loaded.dependencies
    )
    urls = {f"MAINSTAY_URL_{known.upper()}": f"http://{known}" for known, _ in dependencies}
    inbound = loaded.inbound
    if inbound.session is not None:
        # `mainstay up` would make one.
        session = replace(inbound.session, keys=(Secret("signing", "k" * 64),))
        inbound = replace(inbound, session=session)
    return Service(
        replace(loaded, dependencies=dependencies, inbound=inbound),
        environ=urls | {"MAINSTAY_URL_STORE": "valkey://store"},
        writer=silent_writer(),
        stores=stores or Stores(),
    )


def payments_app(folder: Path) -> Any:
    """Return the payments with a ledger in ``folder``. Any: mypy needs no more than an app."""
    return payments.build(Database(folder / "payments.db", ledger.SCHEMA))


@asynccontextmanager
async def client_of(app: Any, wrapped: Any) -> AsyncIterator[httpx.AsyncClient]:
    """Run one app and yield a client to it, through its wrapper. Any: Starlette and FastAPI."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(app.router.lifespan_context(app))
        transport = httpx.ASGITransport(wrapped)
        yield await stack.enter_async_context(
            httpx.AsyncClient(transport=transport, base_url="http://localhost")
        )


@asynccontextmanager
async def alone(name: str, app: Any) -> AsyncIterator[httpx.AsyncClient]:
    """Run one service of the shop and yield a client to it. Any: as ``client_of``."""
    async with client_of(app, service(name).asgi(app)) as client:
        yield client


@asynccontextmanager
async def shop(
    folder: Path,
    instead: Transports | None = None,
    *,
    total_s: float = 5.0,
    stores: Stores | None = None,
) -> AsyncIterator[httpx.AsyncClient]:
    """Run the shop and yield a client to its storefront.

    Args:
        folder: Where the databases are.
        instead: What answers in place of a service, by its name.
        total_s: How long the storefront waits for each service.
        stores: What the services stand on.
    """
    stores = stores or Stores()
    stocklist = load_stocklist()
    charges = payments_app(folder)
    paying = service("payments", stores).asgi(charges)
    real: Transports = {
        "catalog": httpx.ASGITransport(service("catalog").asgi(catalog.build(stocklist))),
        "recommendations": Threaded(
            service("recommendations").wsgi(recommendations.build(stocklist))
        ),
        "payments": httpx.ASGITransport(paying),
    }
    front = service("storefront", stores, total_s=total_s)
    peers = Peers(
        catalog=front.dependency("catalog"),
        recommendations=front.dependency("recommendations"),
        payments=front.dependency("payments"),
    )
    storefront = site.build(
        peers,
        Database(folder / "orders.db", orderbook.SCHEMA),
        front.counter("orders", "Orders by what became of them.", labels=("state",)),
        {**real, **(instead or {})},
    )
    async with client_of(charges, paying), client_of(storefront, front.asgi(storefront)) as client:
        yield client
