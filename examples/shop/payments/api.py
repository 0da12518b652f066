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

from shop.answers import http_error, refusal
from shop.database import Database
from shop.payments.charge import ChargeInvalid, KeyReused, read_request
from shop.payments.ledger import Ledger

KEY_MAX = 200
RETRY = {"Retry-After": "1"}


async def charge(request: Request) -> Response:
    """Charge once for the request's Idempotency-Key: 201 the first time, 200 when it is known."""
    key = request.headers.get("idempotency-key", "")
    if not 1 <= len(key) <= KEY_MAX:
        return refusal(400, "key_missing", "A charge needs an Idempotency-Key header.")
    try:
        asked = read_request(await request.body())
    except ChargeInvalid as error:
        return refusal(422, "charge_invalid", str(error))
    ledger: Ledger = request.app.state.ledger
    # SQLite blocks, for its turn and for the disk: in a thread, so that others are served.
    made, before = await run_in_threadpool(ledger.charge, key, asked, charge_id=str(uuid.uuid4()))
    headers = {"Idempotency-Replayed": "true"} if before else {}
    return JSONResponse(asdict(made), 200 if before else 201, headers)


async def show(request: Request) -> Response:
    """Answer with one charge."""
    ledger: Ledger = request.app.state.ledger
    found = await run_in_threadpool(ledger.find, request.path_params["charge_id"])
    if found is None:
        return refusal(404, "not_found", "There is no such charge.")
    return JSONResponse(asdict(found))


async def key_reused(request: Request, error: Exception) -> Response:
    """Answer a key that came again with another charge."""
    del request
    return refusal(422, "key_reused", str(error))


async def ledger_busy(request: Request, error: Exception) -> Response:
    """Answer while the ledger can't be written: nothing was charged, so the caller may retry."""
    del request, error
    return refusal(503, "ledger_busy", "The ledger is busy. Nothing was charged.", RETRY)


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
            HTTPException: http_error,
            KeyReused: key_reused,
            sqlite3.OperationalError: ledger_busy,
        },
        lifespan=lifespan,
    )
