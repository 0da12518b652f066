"""Starlette, with a mounted application of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.datastructures import UploadFile
from starlette.requests import ClientDisconnect, Request
from starlette.responses import (
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from tests.contract.frameworks.apps import kit

from mainstay import Service
from mainstay.service.inbound.asgi.shell import AsgiShell


@asynccontextmanager
async def lifespan(_app: Starlette) -> AsyncIterator[None]:
    kit.started()
    yield
    kit.stopped()


async def where(request: Request) -> Response:
    return JSONResponse({"path": request.url.path, "root": request.scope["root_path"]})


async def plain(_request: Request) -> Response:
    kit.inner.set("handler")
    return JSONResponse({"hello": "world"})


async def page(_request: Request) -> Response:
    return HTMLResponse(kit.PAGE)


async def seen(_request: Request) -> Response:
    return JSONResponse(await kit.everywhere())


def seen_sync(_request: Request) -> Response:
    return JSONResponse(kit.everywhere_sync())


async def background(request: Request) -> Response:
    asked = request.query_params
    task = BackgroundTask(kit.anote_after, asked["name"], asked["fail"])
    return JSONResponse("whole", background=task)


async def boom(_request: Request) -> Response:
    raise LookupError(kit.SECRET)


async def slow(_request: Request) -> Response:
    return PlainTextResponse(await kit.slow())


async def charge(request: Request) -> Response:
    return JSONResponse(await kit.charge(request.query_params["name"]))


async def leave(_request: Request) -> Response:
    return PlainTextResponse(await kit.leave())


async def cancelled(_request: Request) -> Response:
    return PlainTextResponse(await kit.cancelled())


def slow_sync(_request: Request) -> Response:
    return PlainTextResponse(kit.slow_sync())


async def gate(request: Request) -> Response:
    return StreamingResponse(kit.gate(request.query_params["name"]), media_type="text/plain")


async def release(request: Request) -> Response:
    return PlainTextResponse(kit.release(request.query_params["name"]))


async def events(_request: Request) -> Response:
    return StreamingResponse(kit.events(), media_type="text/event-stream")


async def upload(request: Request) -> Response:
    file = (await request.form())["file"]
    assert isinstance(file, UploadFile)
    return JSONResponse({"name": file.filename, **kit.digest([await file.read()])})


async def length(request: Request) -> Response:
    return JSONResponse(kit.digest([await request.body()]))


async def item(request: Request) -> Response:
    return JSONResponse({"name": (await request.json())["name"]})


async def read(request: Request) -> Response:
    try:
        async for _ in request.stream():
            pass
    except ClientDisconnect:
        kit.noted.left += 1
        raise
    return PlainTextResponse("read")


async def limited(_request: Request) -> Response:
    return PlainTextResponse("let in")


async def state(_request: Request) -> Response:
    return JSONResponse(kit.state())


async def headers(request: Request) -> Response:
    return JSONResponse(dict(request.headers))


async def outbound(_request: Request) -> Response:
    return JSONResponse(await kit.outbound())


async def own_id(_request: Request) -> Response:
    return Response(headers={"X-Request-ID": "of-the-app"})


async def echo(socket: WebSocket) -> None:
    await socket.accept()
    with suppress(WebSocketDisconnect):
        while (text := await socket.receive_text()) != "close":
            await socket.send_text(f"{text} {kit.seen()['trace_id']}")
        await socket.close(4001, "as asked")


async def ws_limited(socket: WebSocket) -> None:
    await socket.accept()
    await socket.close()


async def ws_refused(socket: WebSocket) -> None:
    await socket.close(4403)


api = Starlette(
    lifespan=lifespan,
    routes=[
        Mount("/sub", Starlette(routes=[Route("/where", where)])),
        Route("/json", plain),
        Route("/page", page),
        Route("/seen", seen),
        Route("/seen-sync", seen_sync),
        Route("/background", background),
        Route("/boom", boom),
        Route("/slow", slow),
        Route("/slow-sync", slow_sync),
        Route("/gate", gate),
        Route("/release", release),
        Route("/charge", charge, methods=["POST"]),
        Route("/leave", leave),
        Route("/cancelled", cancelled),
        Route("/events", events),
        Route("/upload", upload, methods=["POST"]),
        Route("/length", length, methods=["POST"]),
        Route("/item", item, methods=["POST"]),
        Route("/read", read, methods=["POST"]),
        Route("/limited", limited),
        Route("/state", state),
        Route("/headers", headers),
        Route("/outbound", outbound),
        Route("/own-id", own_id),
        WebSocketRoute("/ws/echo", echo),
        WebSocketRoute("/ws/limited", ws_limited),
        WebSocketRoute("/ws/refused", ws_refused),
    ],
)


def make(service: Service) -> AsgiShell:
    return service.asgi(api)


app = make(kit.service)
