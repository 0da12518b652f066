"""Flask, with another WSGI app mounted beside it."""

from typing import Any

from flask import Flask, Response, request
from tests.contract.frameworks.apps import kit
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from mainstay import Service
from mainstay.service.inbound.wsgi.shell import WsgiShell

api = Flask(__name__)
sub = Flask("sub")
api.wsgi_app = DispatcherMiddleware(api.wsgi_app, {"/sub": sub.wsgi_app})  # type: ignore[method-assign]  # As Flask's documentation does.


@sub.get("/where")
def where() -> dict[str, str]:
    return {"path": request.path, "root": request.root_path}


@api.get("/json")
def plain() -> dict[str, str]:
    kit.inner.set("handler")
    return {"hello": "world"}


@api.get("/page")
def page() -> str:
    return kit.PAGE


@api.get("/seen")
@api.get("/seen-sync", endpoint="seen-sync")
def seen() -> dict[str, Any]:
    return kit.everywhere_sync()


@api.get("/background")
def background() -> str:
    kit.service.background(kit.note_after, request.args["name"], request.args["fail"])
    return "whole"


@api.get("/boom")
def boom() -> str:
    raise LookupError(kit.SECRET)


@api.get("/slow")
@api.get("/slow-sync", endpoint="slow-sync")
def slow() -> str:
    return kit.slow_sync()


@api.post("/charge")
def charge() -> dict[str, int]:
    return kit.charge_sync(request.args["name"])


@api.get("/leave")
def leave() -> str:
    return kit.leave_sync()


@api.get("/gate")
def gate() -> Response:
    return Response(kit.gate_sync(request.args["name"]), mimetype="text/plain")


@api.get("/release")
def release() -> str:
    return kit.release(request.args["name"])


@api.get("/events")
def events() -> Response:
    return Response(kit.events_sync(), mimetype="text/event-stream")


@api.post("/upload")
def upload() -> dict[str, Any]:
    file = request.files["file"]
    return {"name": file.filename, **kit.digest([file.read()])}


@api.post("/length")
def length() -> dict[str, Any]:
    return kit.digest([request.get_data()])


@api.post("/item")
def item() -> dict[str, str]:
    return {"name": request.get_json()["name"]}


@api.post("/read")
def read() -> str:
    while request.stream.read(65_536):
        pass
    return "read"


@api.get("/limited")
def limited() -> str:
    return "let in"


@api.get("/state")
def state() -> dict[str, Any]:
    return kit.state()


@api.get("/headers")
def headers() -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers}


@api.get("/outbound")
def outbound() -> Any:
    return kit.outbound_sync()


@api.get("/own-id")
def own_id() -> Response:
    return Response("", headers={"X-Request-ID": "of-the-app"})


def make(service: Service) -> WsgiShell:
    return service.wsgi(api)


app = make(kit.service)
