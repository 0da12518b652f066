"""Quart, with a blueprint below a prefix."""

from typing import Any  # Quart takes bytes for texts in places.

from quart import Blueprint, Quart, Response, request, websocket
from quart.utils import run_sync
from tests.contract.frameworks.apps import kit

from mainstay import Service
from mainstay.service.inbound.asgi.shell import AsgiShell

api = Quart(__name__)
api.config["MAX_CONTENT_LENGTH"] = None
sub = Blueprint("sub", __name__, url_prefix="/sub")


@api.before_serving
async def start() -> None:
    kit.started()


@api.after_serving
async def stop() -> None:
    kit.stopped()


@sub.get("/where")
async def where() -> dict[str, str]:
    return {"path": request.path, "root": request.root_path}


api.register_blueprint(sub)


@api.get("/json")
async def plain() -> dict[str, str]:
    kit.inner.set("handler")
    return {"hello": "world"}


@api.get("/page")
async def page() -> str:
    return kit.PAGE


@api.get("/seen")
async def seen() -> dict[str, Any]:
    return await kit.everywhere()


@api.get("/seen-sync")
def seen_sync() -> dict[str, Any]:
    return kit.everywhere_sync()


@api.get("/background")
async def background() -> str:
    api.add_background_task(kit.anote_after, request.args["name"], request.args["fail"])
    return "whole"


@api.get("/boom")
async def boom() -> str:
    raise LookupError(kit.SECRET)


@api.get("/slow")
async def slow() -> str:
    return await kit.slow()


@api.get("/slow-sync")
async def slow_sync() -> str:
    text: str = await run_sync(kit.slow_sync)()
    return text


@api.post("/charge")
async def charge() -> dict[str, int]:
    return await kit.charge(request.args["name"])


@api.get("/leave")
async def leave() -> str:
    return await kit.leave()


@api.get("/cancelled")
async def cancelled() -> str:
    return await kit.cancelled()


@api.get("/gate")
async def gate() -> Response:
    answer = Response(kit.gate(request.args["name"]), mimetype="text/plain")
    answer.timeout = None
    return answer


@api.get("/release")
async def release() -> str:
    return kit.release(request.args["name"])


@api.get("/events")
async def events() -> Response:
    return Response(kit.events(), mimetype="text/event-stream")


@api.post("/upload")
async def upload() -> dict[str, Any]:
    file = (await request.files)["file"]
    content: Any = file.read()
    return {"name": file.filename, **kit.digest([content])}


@api.post("/length")
async def length() -> dict[str, Any]:
    content: Any = await request.get_data(as_text=False)
    return kit.digest([content])


@api.post("/item")
async def item() -> dict[str, str]:
    return {"name": (await request.get_json())["name"]}


@api.post("/read")
async def read() -> str:
    async for _ in request.body:
        pass
    return "read"


@api.get("/limited")
async def limited() -> str:
    return "let in"


@api.get("/state")
async def state() -> dict[str, Any]:
    return kit.state()


@api.get("/headers")
async def headers() -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers}


@api.get("/outbound")
async def outbound() -> dict[str, str]:
    found: dict[str, str] = await kit.outbound()
    return found


@api.get("/own-id")
async def own_id() -> Response:
    return Response("", headers={"X-Request-ID": "of-the-app"})


@api.websocket("/ws/echo")
async def echo() -> None:
    while True:
        text = await websocket.receive()
        if text == "close":
            await websocket.close(4001, "as asked")
            return
        await websocket.send(f"{text!s} {kit.seen()['trace_id']}")


@api.websocket("/ws/limited")
async def ws_limited() -> None:
    await websocket.accept()


@api.websocket("/ws/refused")
async def ws_refused() -> tuple[str, int]:
    return "no", 403


def make(service: Service) -> AsgiShell:
    return service.asgi(api)


app = make(kit.service)
