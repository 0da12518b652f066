"""The apps that test_drain.py serves. Imported by the served process."""

import asyncio
import contextlib
import json
import os
import time  # noqa: TID251  A served app takes real time.
from collections import Counter
from typing import Any

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from mainstay import Service
from mainstay.spec.declaration import Declaration
from mainstay.spec.inbound import Inbound
from mainstay.spec.kinds.units import Quota
from mainstay.spec.ratelimit import RateLimit
from mainstay.spec.shed import Shed

LONG_S = float(os.environ.get("LONG_S", "3"))
service = Service(
    Declaration(
        service="drained", app="drained_apps:app", inbound=Inbound(deadline_s=600, shed=None)
    )
)
begun: Counter[str] = Counter()


def tell(what: str, **more: object) -> None:
    os.write(1, (json.dumps({"did": what, **more}) + "\n").encode())


async def long(request: Any) -> PlainTextResponse:
    del request
    begun["long"] += 1
    await asyncio.sleep(LONG_S)
    return PlainTextResponse("long")


async def counted(request: Any) -> PlainTextResponse:
    del request
    return PlainTextResponse(json.dumps(begun))


async def stream(request: Any) -> StreamingResponse:
    del request

    async def events() -> Any:
        begun["stream"] += 1
        for number in range(20):
            yield f"data: {number}\n\n"
            await asyncio.sleep(LONG_S / 20)
        yield "data: end\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")


async def polite(websocket: WebSocket) -> None:
    """Says a last word when it is told to end."""
    await websocket.accept()
    begun["polite"] += 1
    try:
        while True:
            await websocket.send_text(await websocket.receive_text())
    except WebSocketDisconnect as told:
        tell("told", code=told.code, reason=told.reason)
        if told.code == 1012:
            await websocket.send({"type": "websocket.send", "text": "last word"})


async def careless(websocket: WebSocket) -> None:
    """Lets what the framework raises go through, as most do."""
    await websocket.accept()
    begun["careless"] += 1
    while True:
        await websocket.receive_text()


async def deaf(websocket: WebSocket) -> None:
    """Never listens: it hears of the end when it sends."""
    await websocket.accept()
    begun["deaf"] += 1
    while True:
        await websocket.send_text("tick")
        await asyncio.sleep(0.05)


async def stubborn(websocket: WebSocket) -> None:
    """Neither listens nor sends."""
    await websocket.accept()
    begun["stubborn"] += 1
    try:
        await asyncio.sleep(600)
    except asyncio.CancelledError:
        tell("cancelled")
        raise


SOCKETS = (polite, careless, deaf, stubborn)


async def receipt(number: int) -> None:
    await asyncio.sleep(LONG_S)
    tell("background", number=number)


def letter() -> None:
    time.sleep(LONG_S)
    tell("background", number=-1)


async def later(request: Any) -> PlainTextResponse:
    del request
    begun["later"] += 1
    service.background(receipt(begun["later"]))
    service.background(letter)
    return PlainTextResponse("accepted", 202)


async def close_client() -> None:
    tell("clients")


async def lifespan(app: Any) -> Any:
    del app
    yield
    tell("app")


service.on_stop(lambda: tell("telemetry"), stage="telemetry")
service.on_stop(lambda: tell("pools"), stage="pools")
service.on_stop(close_client)

app = service.asgi(
    Starlette(
        routes=[
            Route("/long", long),
            Route("/counted", counted),
            Route("/stream", stream),
            Route("/later", later, methods=["POST"]),
            *(
                WebSocketRoute(f"/{one.__name__}", one)
                for one in (polite, careless, deaf, stubborn)
            ),
        ],
        lifespan=contextlib.asynccontextmanager(lifespan),
    )
)


# --- WSGI ---

threaded = Service(Declaration(service="drained", app="drained_apps:threads"))
threaded.on_stop(lambda: tell("telemetry"), stage="telemetry")
threaded.on_stop(close_client)


def raw_threads(environ: Any, start_response: Any) -> list[bytes]:
    if environ["PATH_INFO"] == "/later":
        threaded.background(receipt(1))
        threaded.background(letter)
    if environ["PATH_INFO"] == "/long":
        tell("long")
        time.sleep(LONG_S)
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(begun).encode()]


threads = threaded.wsgi(raw_threads)


# --- more asked of it than it may do ---

narrow_inbound = Inbound(
    deadline_s=600,
    shed=Shed(mode="fixed", limit=2, queue=2, wait_s=600),
    rate_limit=(RateLimit(rate=Quota(count=30, per_s=3600)),),
)
narrow = Service(
    Declaration(service="drained", app="drained_apps:narrow_app", inbound=narrow_inbound)
)
narrow_threads = Service(
    Declaration(service="drained", app="drained_apps:narrow_threads_app", inbound=narrow_inbound)
)
narrow_app = narrow.asgi(Starlette(routes=[Route("/long", long)]))
narrow_threads_app = narrow_threads.wsgi(raw_threads)
