"""The apps that test_serve.py serves, each wrapped and bare. Imported by the served process."""

import asyncio
import hashlib
import itertools
import os
import threading
import time  # noqa: TID251  A served app blocks for real.
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

import fastapi
import flask
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from mainstay import Service, current_trace
from mainstay.spec.declaration import Declaration

SLOW_S = float(os.environ.get("SLOW_S", "1.5"))
service = Service(Declaration(service="served", app="served_apps:fastapi_app"))
second = Service(Declaration(service="served", app="served_apps:flask_app"))
held = 0
_lock = threading.Lock()


def trace_id() -> str:
    trace = current_trace()
    return trace.trace_id if trace else ""


async def parts() -> AsyncIterator[bytes]:
    for number in range(5):
        yield f"data: {number} {trace_id()}\n\n".encode()
        await asyncio.sleep(0.01)


async def breaking() -> AsyncIterator[bytes]:
    yield b"begun"
    await asyncio.sleep(0)
    raise LookupError("broken off")


# --- FastAPI ---

fastapi_api = fastapi.FastAPI()
fastapi_app = service.asgi(fastapi_api)


@fastapi_api.get("/trace")
async def fastapi_trace() -> dict[str, str]:
    return {"trace_id": trace_id()}


@fastapi_api.get("/slow")
async def fastapi_slow() -> str:
    global held  # noqa: PLW0603  What /held tells.
    held += 1
    await asyncio.sleep(SLOW_S)
    return "slow"


@fastapi_api.get("/held")
async def fastapi_held() -> int:
    return held


@fastapi_api.get("/block")
async def fastapi_block() -> str:
    time.sleep(300)  # noqa: ASYNC251  The mistake that this is about.
    return "never"


@fastapi_api.get("/boom")
async def fastapi_boom() -> None:
    raise LookupError("secret detail")


@fastapi_api.post("/upload")
async def fastapi_upload(request: fastapi.Request) -> dict[str, str]:
    digest = hashlib.sha256()
    async for part in request.stream():
        digest.update(part)
    return {"sha256": digest.hexdigest()}


@fastapi_api.get("/events")
async def fastapi_events() -> StreamingResponse:
    return StreamingResponse(parts(), media_type="text/event-stream")


@fastapi_api.get("/breaks")
async def fastapi_breaks() -> StreamingResponse:
    return StreamingResponse(breaking())


async def endless() -> AsyncIterator[bytes]:
    while True:
        yield bytes(65_536)


@fastapi_api.get("/endless")
async def fastapi_endless() -> StreamingResponse:
    return StreamingResponse(endless())


# --- Starlette ---


async def starlette_trace(request: Request) -> JSONResponse:
    del request
    return JSONResponse({"trace_id": trace_id()})


async def starlette_upload(request: Request) -> JSONResponse:
    digest = hashlib.sha256(await request.body())
    return JSONResponse({"sha256": digest.hexdigest()})


async def starlette_events(request: Request) -> StreamingResponse:
    del request
    return StreamingResponse(parts(), media_type="text/event-stream")


async def starlette_breaks(request: Request) -> StreamingResponse:
    del request
    return StreamingResponse(breaking())


async def starlette_boom(request: Request) -> JSONResponse:
    raise LookupError("secret detail")


async def echo(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text(await websocket.receive_text())
    await websocket.close()


starlette_app = service.asgi(
    Starlette(
        routes=[
            Route("/trace", starlette_trace),
            Route("/upload", starlette_upload, methods=["POST"]),
            Route("/events", starlette_events),
            Route("/breaks", starlette_breaks),
            Route("/boom", starlette_boom),
            WebSocketRoute("/echo", echo),
        ]
    )
)

# --- plain ASGI, which knows no lifespan ---


async def bare_asgi(scope: Any, receive: Any, send: Any) -> None:
    if scope["path"] == "/boom":
        raise LookupError("secret detail")
    body = f'{{"trace_id": "{trace_id()}"}}'.encode()
    if scope["path"] == "/slow":
        await asyncio.sleep(SLOW_S)
        body = b"slow"
    if scope["path"] == "/upload":
        digest, more = hashlib.sha256(), True
        while more:
            message = await receive()
            digest.update(message.get("body", b""))
            more = message.get("more_body", False)
        body = f'{{"sha256": "{digest.hexdigest()}"}}'.encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    if scope["path"] in {"/events", "/breaks"}:
        async for part in parts() if scope["path"] == "/events" else breaking():
            await send({"type": "http.response.body", "body": part, "more_body": True})
        body = b""
    await send({"type": "http.response.body", "body": body})


plain_asgi_app = service.asgi(bare_asgi)


def make_asgi() -> Any:
    return plain_asgi_app


async def fails_to_start(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    raise ConnectionError("no database today")


wrapped_fails_to_start = service.asgi(fails_to_start)


async def never_starts(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await asyncio.sleep(300)


# --- Flask ---

flask_api = flask.Flask(__name__)
flask_app = second.wsgi(flask_api)


@flask_api.get("/trace")
def flask_trace() -> dict[str, str]:
    return {"trace_id": trace_id()}


@flask_api.get("/slow")
def flask_slow() -> str:
    global held  # noqa: PLW0603  What /held tells.
    with _lock:
        held += 1
    time.sleep(SLOW_S)
    return "slow"


@flask_api.get("/held")
def flask_held() -> str:
    return str(held)


@flask_api.get("/boom")
def flask_boom() -> str:
    raise LookupError("secret detail")


@flask_api.post("/upload")
def flask_upload() -> dict[str, str]:
    return {"sha256": hashlib.sha256(flask.request.stream.read()).hexdigest()}


@flask_api.get("/events")
def flask_events() -> flask.Response:
    return flask.Response(sync_parts(), mimetype="text/event-stream")


@flask_api.get("/breaks")
def flask_breaks() -> flask.Response:
    return flask.Response(sync_breaking())


@flask_api.get("/endless")
def flask_endless() -> flask.Response:
    return flask.Response(itertools.repeat(bytes(65_536)))


@flask_api.get("/breaks-told")
def flask_breaks_told() -> flask.Response:
    return flask.Response(sync_breaking(), headers={"Content-Length": "100"})


def sync_parts() -> Iterator[bytes]:
    for number in range(5):
        yield f"data: {number} {trace_id()}\n\n".encode()
        time.sleep(0.01)


def sync_breaking() -> Iterator[bytes]:
    yield b"begun"
    raise LookupError("broken off")


# --- plain WSGI ---


def bare_wsgi(environ: Any, start_response: Any) -> Iterable[bytes]:
    path = environ["PATH_INFO"]
    if path == "/boom":
        raise LookupError("secret detail")
    if path == "/slow":
        time.sleep(SLOW_S)
        start_response("200 OK", [])
        return [b"slow"]
    start_response("200 OK", [])
    if path == "/events":
        return sync_parts()
    if path == "/breaks":
        return sync_breaking()
    if path == "/upload":
        digest = hashlib.sha256(environ["wsgi.input"].read()).hexdigest()
        return [f'{{"sha256": "{digest}"}}'.encode()]
    return [f'{{"trace_id": "{trace_id()}"}}'.encode()]


plain_wsgi_app = second.wsgi(bare_wsgi)
