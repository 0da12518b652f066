"""The payments' HTTP interface: ``POST /charges``, ``GET /charges/{id}``."""

import sqlite3
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mainstay import get_logger
from shop.database import Database
from shop.payments.charge import ChargeInvalid, ReferenceCharged, read_request
from shop.payments.ledger import Ledger

log = get_logger(__name__)


async def charge(request: Request) -> Response:
    """Charge a reference once: 201 the first time, 200 when it was charged before."""
    asked = read_request(await request.body())
    ledger: Ledger = request.app.state.ledger
    # SQLite blocks, for its turn and for the disk: in a thread, so that others are served.
    made, before = await run_in_threadpool(ledger.charge, asked, charge_id=str(uuid.uuid4()))
    if not before:
        log.info(
            "charge made",
            status=made.status,
            charge_id=made.id,
            reference=made.reference,
            amount_cents=made.amount_cents,
        )
    return JSONResponse(asdict(made), 200 if before else 201)


async def show(request: Request) -> Response:
    """Answer with one charge."""
    ledger: Ledger = request.app.state.ledger
    found = await run_in_threadpool(ledger.find, request.path_params["charge_id"])
    if found is None:
        raise HTTPException(404, "There is no such charge.")
    return JSONResponse(asdict(found))


async def invalid(request: Request, error: Exception) -> Response:
    """Answer a request to charge that can't be understood."""
    del request
    return JSONResponse({"detail": str(error)}, 422)


async def charged_before(request: Request, error: Exception) -> Response:
    """Answer a reference that came again with another charge."""
    del request
    return JSONResponse({"detail": str(error)}, 409)


async def ledger_busy(request: Request, error: Exception) -> Response:
    """Answer while the ledger can't be written: nothing was charged, so the caller may retry."""
    del request, error
    return Response(status_code=503, headers={"Retry-After": "1"})


def build(database: Database) -> Starlette:
    """Return the payments that keep their ledger in ``database``, open while the app runs."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        database.open()
        app.state.ledger = Ledger(database)
        yield
        database.close()

    return Starlette(
        routes=[
            Route("/charges", charge, methods=["POST"]),
            Route("/charges/{charge_id}", show),
        ],
        exception_handlers={
            ChargeInvalid: invalid,
            ReferenceCharged: charged_before,
            sqlite3.OperationalError: ledger_busy,
        },
        lifespan=lifespan,
    )
