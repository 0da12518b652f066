"""Apps whose handlers keep everything busy until a file is there."""

import os
from pathlib import Path
from typing import Any

from mainstay import Service
from mainstay.core.clock import pause
from mainstay.spec.declaration import Declaration

LET_GO = Path(os.environ["LET_GO"])
HELD = LET_GO.with_suffix(".held")


def hold() -> None:
    HELD.touch()
    for _ in range(3000):
        if LET_GO.exists():
            return
        pause(0.02)


# Any: scopes and messages are dictionaries of anything.
async def _blocks(scope: Any, receive: Any, send: Any) -> None:
    hold()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


def _waits(environ: Any, start_response: Any) -> list[bytes]:
    hold()
    start_response("200 OK", [])
    return [b"ok"]


async def _app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    await _blocks(scope, receive, send)


async def unwrapped(scope: Any, receive: Any, send: Any) -> None:
    await _app(scope, receive, send)


asgi = Service(Declaration(service="probed", app="a:b")).asgi(_app)
wsgi = Service(Declaration(service="probed", app="a:b")).wsgi(_waits)
