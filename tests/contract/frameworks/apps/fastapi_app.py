"""FastAPI, its sub-application, and its handlers in threads."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from fastapi import (
    BackgroundTasks,
    FastAPI,
    Request,
    Response,
    UploadFile,
    WebSocket,
    WebSocketDisconnect,
)
from fastapi.responses import HTMLResponse, StreamingResponse
from pydantic import BaseModel
from starlette.requests import ClientDisconnect
from tests.contract.frameworks.apps import kit

from mainstay import Service
from mainstay.service.inbound.asgi.shell import AsgiShell


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    kit.started()
    yield
    kit.stopped()


class Item(BaseModel):
    name: str


api = FastAPI(lifespan=lifespan)
sub = FastAPI()
api.mount("/sub", sub)


@sub.get("/where")
async def where(request: Request) -> dict[str, str]:
    return {"path": request.url.path, "root": request.scope["root_path"]}


@api.get("/json")
async def plain() -> dict[str, str]:
    kit.inner.set("handler")
    return {"hello": "world"}


@api.head("/json")
async def head() -> dict[str, str]:
    return {"hello": "world"}


@api.get("/page")
async def page() -> HTMLResponse:
    return HTMLResponse(kit.PAGE)


@api.get("/seen")
async def seen() -> dict[str, Any]:
    return await kit.everywhere()


@api.get("/seen-sync")
def seen_sync() -> dict[str, Any]:
    return kit.everywhere_sync()


@api.get("/background")
async def background(name: str, fail: str, tasks: BackgroundTasks) -> str:
    tasks.add_task(kit.anote_after, name, fail)
    return "whole"


@api.get("/boom")
async def boom() -> None:
    raise LookupError(kit.SECRET)


@api.get("/slow")
async def slow() -> str:
    return await kit.slow()


@api.get("/slow-sync")
def slow_sync() -> str:
    return kit.slow_sync()


@api.post("/charge")
async def charge(name: str) -> dict[str, int]:
    return await kit.charge(name)


@api.get("/leave")
async def leave() -> str:
    return await kit.leave()


@api.get("/cancelled")
async def cancelled() -> str:
    return await kit.cancelled()


@api.get("/gate")
async def gate(name: str) -> StreamingResponse:
    return StreamingResponse(kit.gate(name), media_type="text/plain")


@api.get("/release")
async def release(name: str) -> str:
    return kit.release(name)


@api.get("/events")
async def events() -> StreamingResponse:
    return StreamingResponse(kit.events(), media_type="text/event-stream")


@api.post("/upload")
async def upload(file: UploadFile) -> dict[str, Any]:
    return {"name": file.filename, **kit.digest([await file.read()])}


@api.post("/length")
async def length(request: Request) -> dict[str, Any]:
    return kit.digest([await request.body()])


@api.post("/item")
async def item(item: Item) -> dict[str, str]:
    return {"name": item.name}


@api.post("/read")
async def read(request: Request) -> str:
    try:
        async for _ in request.stream():
            pass
    except ClientDisconnect:
        kit.noted.left += 1
        raise
    return "read"


@api.get("/limited")
async def limited() -> str:
    return "let in"


@api.get("/state")
async def state() -> dict[str, Any]:
    return kit.state()


@api.get("/headers")
async def headers(request: Request) -> dict[str, str]:
    return dict(request.headers)


@api.get("/outbound")
async def outbound() -> Any:
    return await kit.outbound()


@api.get("/own-id")
async def own_id() -> Response:
    return Response(headers={"X-Request-ID": "of-the-app"})


@api.websocket("/ws/echo")
async def echo(socket: WebSocket) -> None:
    await socket.accept()
    with suppress(WebSocketDisconnect):
        while (text := await socket.receive_text()) != "close":
            await socket.send_text(f"{text} {kit.seen()['trace_id']}")
        await socket.close(4001, "as asked")


@api.websocket("/ws/limited")
async def ws_limited(socket: WebSocket) -> None:
    await socket.accept()
    await socket.close()


@api.websocket("/ws/refused")
async def ws_refused(socket: WebSocket) -> None:
    await socket.close(4403)


def make(service: Service) -> AsgiShell:
    return service.asgi(api)


app = make(kit.service)
