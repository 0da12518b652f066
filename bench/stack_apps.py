"""The apps that ``bench/stack.py`` serves: each bare, wrapped, and under what others use today.

Which one, says the variable ``BENCH_APP``: ``fastapi-wrapped``, ``fastapi-whole`` for the wrapper
with logs, metrics and traces, or ``fastapi-wrapped-shed`` for the wrapper without that part.
"""

import os
from collections.abc import Collection
from typing import Any

from mainstay import Service
from mainstay.spec.declaration import Declaration
from mainstay.spec.load import load_service

DECLARATION = """
service: bench
app: stack_apps:app
telemetry:
{telemetry}
inbound:
  deadline: 5s
  access_log: {access_log}
"""
PARTS = {
    "rate_limit": "{rate: 1000000/s, burst: 1000000}",
    "shed": "adaptive",
    "headers": "auto",
    "body_max": "16MiB",
}
"""What may be off, and how it is when it is on."""

SILENT = "  {logs: off, metrics: off, traces: off}"
TOLD = "  {logs: info, metrics: /metrics, traces: 10%}"
"""Of the whole stack: where spans go is in OTEL_EXPORTER_OTLP_ENDPOINT."""


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


def declaration(
    folder: str, *, access_log: bool, telemetry: str = SILENT, without: Collection[str] = ()
) -> Declaration:
    from pathlib import Path

    path = Path(folder) / "mainstay.yaml"
    parts = "".join(
        f"  {name}: {'off' if name in without else value}\n" for name, value in PARTS.items()
    )
    head = DECLARATION.format(access_log="true" if access_log else "false", telemetry=telemetry)
    path.write_text(head + parts)
    return load_service(path, environ={}).system.members[0].declaration


def service(*, whole: bool, without: Collection[str] = ()) -> Service:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        telemetry = TOLD if whole else SILENT
        return Service(declaration(folder, access_log=whole, telemetry=telemetry, without=without))


def peers(app: Any) -> Any:
    """Return a FastAPI or Starlette app under a correlation id, metrics, limits and headers."""
    import stack_peers

    return stack_peers.around(app)


MAKE = {"fastapi": fastapi, "starlette": starlette, "flask": flask}


def make(name: str) -> Any:
    framework, how, *without = name.split("-")
    app = MAKE[framework]()
    if how == "bare":
        return app
    if how == "peers":
        return peers(app)
    assert how in {"wrapped", "whole"}, how
    made = service(whole=how == "whole", without=without)
    return made.wsgi(app) if framework == "flask" else made.asgi(app)


app = make(os.environ["BENCH_APP"]) if "BENCH_APP" in os.environ else None
