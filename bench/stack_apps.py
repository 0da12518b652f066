"""The apps that ``bench/stack.py`` serves: each bare, wrapped, and under what others use today.

Which one, says the variable ``BENCH_APP``: ``fastapi-wrapped``.
"""

import os
from typing import Any

from mainstay import Service
from mainstay.spec.declaration import Declaration
from mainstay.spec.load import load_service

DECLARATION = """
service: bench
app: stack_apps:app
inbound:
  deadline: 5s
  access_log: {access_log}
  rate_limit: {{rate: 1000000/s, burst: 1000000}}
  shed: adaptive
"""


def fastapi() -> Any:
    from fastapi import FastAPI

    app = FastAPI()

    @app.get("/items/{item_id}")
    async def item(item_id: int, q: str = "") -> dict[str, object]:
        return {"id": item_id, "name": "kettle", "price": 4900, "q": q}

    return app


def starlette() -> Any:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    async def item(request: Request) -> JSONResponse:
        number = int(request.path_params["item_id"])
        return JSONResponse({"id": number, "name": "kettle", "price": 4900})

    return Starlette(routes=[Route("/items/{item_id}", item)])


def flask() -> Any:
    from flask import Flask

    app = Flask(__name__)

    @app.get("/items/<int:item_id>")
    def item(item_id: int) -> dict[str, object]:
        return {"id": item_id, "name": "kettle", "price": 4900}

    return app


def declaration(folder: str, *, access_log: bool) -> Declaration:
    from pathlib import Path

    path = Path(folder) / "mainstay.yaml"
    path.write_text(DECLARATION.format(access_log="true" if access_log else "false"))
    return load_service(path, environ={}).system.members[0].declaration


def service() -> Service:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        access_log = os.environ.get("BENCH_ACCESS_LOG") == "1"
        return Service(declaration(folder, access_log=access_log))


def peers(app: Any) -> Any:
    """Return a FastAPI or Starlette app under a correlation id, metrics, limits and headers."""
    import stack_peers

    return stack_peers.around(app)


MAKE = {"fastapi": fastapi, "starlette": starlette, "flask": flask}


def make(name: str) -> Any:
    framework, _, how = name.partition("-")
    app = MAKE[framework]()
    if how == "bare":
        return app
    if how == "peers":
        return peers(app)
    assert how == "wrapped", how
    return service().wsgi(app) if framework == "flask" else service().asgi(app)


app = make(os.environ["BENCH_APP"]) if "BENCH_APP" in os.environ else None
