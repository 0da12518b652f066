"""What a shell adds to one request: ``python bench/inbound.py [--requests 100000]``.

The same trivial app is driven bare and wrapped, without a server, in one thread; access lines go
to /dev/null by a real system call. The best of several rounds counts, since noise only adds.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Callable, MutableMapping
from functools import partial
from typing import Any

from mainstay import Service
from mainstay.core.clock import SystemClock
from mainstay.service.inbound.asgi.types import AsgiApp, Receive, Scope, Send
from mainstay.spec.declaration import Declaration
from mainstay.spec.inbound import Inbound
from mainstay.telemetry.logs.outlet import open_outlet
from mainstay.telemetry.logs.writer import Writer

ROUNDS = 7
TRACEPARENT = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
HEADERS = [
    (b"host", b"127.0.0.1:8080"),
    (b"user-agent", b"bench"),
    (b"accept", b"*/*"),
    (b"accept-encoding", b"gzip, deflate"),
    (b"x-forwarded-for", b"192.0.2.1"),
    (b"x-forwarded-proto", b"http"),
    (b"x-request-id", b"5f3f6f3e-0d8c-4c1e-8a34-1f1c1b1a1918"),
    (b"x-envoy-expected-rq-timeout-ms", b"15000"),
    (b"traceparent", TRACEPARENT),
]
START = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]}
BODY = {"type": "http.response.body", "body": b"ok"}


async def asgi_app(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send(START)
    await send(BODY)


def wsgi_app(_environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]


async def receive() -> MutableMapping[str, Any]:
    return {"type": "http.request"}


async def send(message: MutableMapping[str, Any]) -> None:
    del message


def start_response(*args: object) -> None:
    del args


def asgi_round(app: AsgiApp, requests: int) -> None:
    async def many() -> None:
        for _ in range(requests):
            scope = {
                "type": "http",
                "method": "GET",
                "path": "/orders/17",
                "http_version": "1.1",
                "headers": HEADERS,
                "client": ("127.0.0.1", 50_000),
            }
            await app(scope, receive, send)

    asyncio.run(many())


def wsgi_round(app: Callable[..., Any], requests: int) -> None:
    for _ in range(requests):
        environ = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": "/orders/17",
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_TRACEPARENT": TRACEPARENT.decode(),
        }
        b"".join(app(environ, start_response))


def best_us(act: Callable[[int], None], requests: int) -> float:
    clock = SystemClock()
    best_s = float("inf")
    for _ in range(ROUNDS):
        begun_s = clock.monotonic_s()
        act(requests)
        best_s = min(best_s, clock.monotonic_s() - begun_s)
    return best_s / requests * 1e6


def service(*, access_log: bool) -> Service:
    sink = os.open(os.devnull, os.O_WRONLY)
    declared = Declaration(service="bench", app="b:a", inbound=Inbound(access_log=access_log))
    return Service(declared, writer=Writer(open_outlet(sink)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=50_000)
    requests = parser.parse_args().requests
    loud, quiet = service(access_log=True), service(access_log=False)
    asgi = [
        best_us(partial(asgi_round, app), requests)
        for app in (asgi_app, loud.asgi(asgi_app), quiet.asgi(asgi_app))
    ]
    wsgi = [
        best_us(partial(wsgi_round, app), requests)
        for app in (wsgi_app, loud.wsgi(wsgi_app), quiet.wsgi(wsgi_app))
    ]
    for name, (bare, with_line, without) in (("ASGI", asgi), ("WSGI", wsgi)):
        sys.stdout.write(
            f"{name}: bare {bare:.2f} µs; the shell adds {with_line - bare:.2f} µs a request, "
            f"{without - bare:.2f} µs of it without the access line\n"
        )


if __name__ == "__main__":
    main()
