"""The apps that test_reload.py serves: they tell how a dependency is declared by now."""

import json
from typing import Any

from mainstay import Service

service = Service.load()
payments = service.dependency("payments")


def failures() -> bytes:
    breaker = payments.plan.parts.breaker
    assert breaker is not None
    return json.dumps(breaker.failures).encode()


async def bare_asgi(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": failures()})


def bare_wsgi(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "application/json")])
    return [failures()]


asgi_app = service.asgi(bare_asgi)
wsgi_app = service.wsgi(bare_wsgi)
