"""Litestar, with another ASGI app mounted in it."""

from contextlib import suppress
from typing import Any

from litestar import (
    Litestar,
    MediaType,
    Request,
    Response,
    WebSocket,
    asgi,
    get,
    head,
    post,
    websocket,
)
from litestar.background_tasks import BackgroundTask
from litestar.datastructures import UploadFile
from litestar.exceptions import WebSocketDisconnect
from litestar.params import FromQuery, JSONBody, MultipartBody
from litestar.response import ServerSentEvent, Stream
from starlette.applications import Starlette
from starlette.requests import Request as StarletteRequest
from starlette.responses import JSONResponse
from starlette.routing import Route
from tests.contract.frameworks.apps import kit

from mainstay import Service
from mainstay.service.inbound.asgi.shell import AsgiShell

# Any: Litestar's own types of user, token and state, which nothing here has.
Asked = Request[Any, Any, Any]
Socket = WebSocket[Any, Any, Any]


async def where(request: StarletteRequest) -> JSONResponse:
    return JSONResponse({"path": request.url.path, "root": request.scope["root_path"]})


_sub = Starlette(routes=[Route("/where/", where)])


@asgi("/sub", is_mount=True, copy_scope=True)
async def sub(scope: Any, receive: Any, send: Any) -> None:
    """Hand on. Any: Litestar's own types for ASGI's."""
    await _sub(scope, receive, send)


@get("/json")
async def plain() -> dict[str, str]:
    kit.inner.set("handler")
    return {"hello": "world"}


@head("/json")
async def plain_head() -> None:
    return None


@get("/page", media_type=MediaType.HTML)
async def page() -> str:
    return kit.PAGE


@get("/seen")
async def seen() -> dict[str, Any]:
    return await kit.everywhere()


@get("/seen-sync", sync_to_thread=True)
def seen_sync() -> dict[str, Any]:
    return kit.everywhere_sync()


@get("/background")
async def background(name: FromQuery[str], fail: FromQuery[str]) -> Response[str]:
    task = BackgroundTask(kit.anote_after, name, fail)
    return Response("whole", background=task, media_type=MediaType.JSON)


@get("/boom")
async def boom() -> None:
    raise LookupError(kit.SECRET)


@get("/slow")
async def slow() -> str:
    return await kit.slow()


@post("/charge", status_code=200)
async def charge(request: Asked) -> dict[str, int]:
    return await kit.charge(request.query_params["name"])


@get("/leave")
async def leave() -> str:
    return await kit.leave()


@get("/cancelled")
async def cancelled() -> str:
    return await kit.cancelled()


@get("/slow-sync", sync_to_thread=True)
def slow_sync() -> str:
    return kit.slow_sync()


@get("/gate")
async def gate(name: FromQuery[str]) -> Stream:
    return Stream(kit.gate(name), media_type="text/plain")


@get("/release")
async def release(name: FromQuery[str]) -> str:
    return kit.release(name)


@get("/events")
async def events() -> ServerSentEvent:
    async def data() -> Any:
        async for part in kit.events():
            yield part.decode().removeprefix("data: ").strip()

    return ServerSentEvent(data())


@post("/upload", status_code=200, request_max_body_size=None)
async def upload(data: MultipartBody[dict[str, UploadFile]]) -> dict[str, Any]:
    file = data["file"]
    return {"name": file.filename, **kit.digest([await file.read()])}


@post("/length", status_code=200, request_max_body_size=None)
async def length(request: Asked) -> dict[str, Any]:
    return kit.digest([await request.body()])


@post("/item", status_code=200, request_max_body_size=None)
async def item(data: JSONBody[dict[str, str]]) -> dict[str, str]:
    return {"name": data["name"]}


@post("/read", status_code=200)
async def read(request: Asked) -> str:
    async for _ in request.stream():
        pass
    return "read"


@get("/limited")
async def limited() -> str:
    return "let in"


@get("/state")
async def state() -> dict[str, Any]:
    return kit.state()


@get("/headers")
async def headers(request: Asked) -> dict[str, str]:
    return dict(request.headers)


@get("/outbound")
async def outbound() -> dict[str, str]:
    found: dict[str, str] = await kit.outbound()
    return found


@get("/own-id")
async def own_id() -> Response[str]:
    return Response("", headers={"X-Request-ID": "of-the-app"})


@websocket("/ws/echo")
async def echo(socket: Socket) -> None:
    await socket.accept()
    with suppress(WebSocketDisconnect):
        while (text := await socket.receive_text()) != "close":
            await socket.send_text(f"{text} {kit.seen()['trace_id']}")
        await socket.close(4001, "as asked")


@websocket("/ws/limited")
async def ws_limited(socket: Socket) -> None:
    await socket.accept()
    await socket.close()


@websocket("/ws/refused")
async def ws_refused(socket: Socket) -> None:
    await socket.close(4403)


api = Litestar(
    [
        sub, plain, plain_head, page, seen, seen_sync, background, boom, slow, slow_sync, gate,
        release, events, upload, length, item, read, limited, state, headers, outbound, own_id,
        echo, ws_limited, ws_refused, charge, leave, cancelled,
    ],
    on_startup=[kit.started],
    on_shutdown=[kit.stopped],
)  # fmt: skip


def make(service: Service) -> AsgiShell:
    return service.asgi(api)


app = make(kit.service)
