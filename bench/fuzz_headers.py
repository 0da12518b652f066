"""Every header that is read, under a million hostile values: ``python -m bench.fuzz_headers``.

Each reader gets values near what it takes and far from it, alone; then whole requests go through
both shells with everything on. What must not happen is an exception, a 500, an answer whose headers
could be split, or a reader that says what it may not. A find is told with the value that made it.
"""

import argparse
import asyncio
import sys
from collections.abc import Iterable
from random import Random
from typing import Any

from bench.header_inputs import SEEDS, mutated
from bench.header_readers import CORS, HOSTS, READERS, hold, read_values, tell

from mainstay.core.clock import SystemClock
from mainstay.service.inbound.exchange import lookup
from mainstay.service.inbound.idempotency.memory import MemoryRecords
from mainstay.service.inbound.sessions.memory import MemorySessions
from mainstay.service.service import Service
from mainstay.service.stores import NoStores
from mainstay.spec.declaration import Declaration
from mainstay.spec.dependency import Dependency
from mainstay.spec.idempotency import Idempotency
from mainstay.spec.inbound import Inbound
from mainstay.spec.kinds.secret import Secret
from mainstay.spec.kinds.units import Quota
from mainstay.spec.perimeter import Errors
from mainstay.spec.ratelimit import RateLimit
from mainstay.spec.sessions import Session
from mainstay.spec.shed import Shed

VALUES = 1_000_000
REQUESTS = 100_000
METHODS = ("GET", "POST", "OPTIONS", "HEAD", "DELETE")
INBOUND = Inbound(
    hosts=HOSTS,
    cors=CORS,
    errors=Errors(app="problem"),
    rate_limit=(
        RateLimit(rate=Quota(count=1_000_000, per_s=1), name="address", headers="always"),
        RateLimit(rate=Quota(count=1_000_000, per_s=1), name="key", by="header:X-API-Key"),
    ),
    shed=Shed(header="X-Priority"),
    idempotency=Idempotency(store="store"),
    session=Session(store="store", keys=(Secret("signing", "k" * 64),)),
    access_log=False,
)


class MemoryStores(NoStores):
    """Stores in this process, for what needs one."""

    def records(self, url: str) -> MemoryRecords:
        """See ``Stores``."""
        del url
        return MemoryRecords()

    def sessions(self, url: str) -> MemorySessions:
        """See ``Stores``."""
        del url
        return MemorySessions()


def _service() -> Service:
    declared = Declaration(
        service="fuzz",
        app="fuzz:app",
        inbound=INBOUND,
        dependencies=(("store", Dependency(url="redis://127.0.0.1:9")),),
    )
    return Service(declared, environ={}, stores=MemoryStores())


async def _asgi_app(_scope: Any, receive: Any, send: Any) -> None:
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


def _wsgi_app(environ: Any, start_response: Any) -> list[bytes]:
    environ["wsgi.input"].read()
    start_response("200 OK", [])
    return [b"ok"]


class _Input:
    def read(self, size: int = -1) -> bytes:
        del size
        return b""

    readline = read


def _requests(seed: int, count: int) -> Iterable[tuple[str, list[tuple[bytes, bytes]]]]:
    rng = Random(seed)
    names = list(SEEDS)
    for _ in range(count):
        chosen = rng.choices(names, k=rng.randrange(1, 10))
        headers = [(name, mutated(rng, SEEDS[name])) for name in chosen]
        if rng.random() < 0.8:
            headers.insert(0, (b"host", b"shop.example"))
        yield rng.choice(METHODS), headers


def ask_requests(seed: int, count: int) -> int:
    """Send ``count`` requests through each shell; return how many finds there are."""
    return asyncio.run(_ask_asgi(seed, count)) + _ask_wsgi(seed, count)


async def _ask_asgi(seed: int, count: int) -> int:
    shell, finds = _service().asgi(_asgi_app), 0
    said: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"abcde"}

    async def send(message: Any) -> None:
        said.append(message)

    for method, headers in _requests(seed, count):
        said.clear()
        scope = {
            "type": "http", "method": method, "path": "/", "http_version": "1.1", "scheme": "http",
            "headers": headers, "client": ("127.0.0.1", 1), "query_string": b"",
        }  # fmt: skip
        try:
            await shell(scope, receive, send)
            hold(said[0]["status"] != 500 and said[-1]["type"] == "http.response.body")
            hold(not any(set(b"\r\n\0") & set(value) for _, value in said[0]["headers"]))
        except Exception as error:  # noqa: BLE001  Any is what we look for.
            finds += 1
            tell(method.encode(), repr(headers).encode(), error)
    return finds


def _ask_wsgi(seed: int, count: int) -> int:
    shell, finds = _service().wsgi(_wsgi_app), 0
    said: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: Any, exc_info: Any = None) -> None:
        del exc_info
        said.append((status, headers))

    for method, headers in _requests(seed, count):
        said.clear()
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method, "PATH_INFO": "/", "REMOTE_ADDR": "127.0.0.1",
            "SERVER_PROTOCOL": "HTTP/1.1", "wsgi.url_scheme": "http", "wsgi.input": _Input(),
        }  # fmt: skip
        for name in {name for name, _ in headers}:
            key = name.decode().upper().replace("-", "_")
            key = key if key in {"CONTENT_LENGTH", "CONTENT_TYPE"} else "HTTP_" + key
            environ[key] = (lookup(headers)(name) or b"").decode("latin-1")
        try:
            b"".join(shell(environ, start_response))
            hold(not said[-1][0].startswith("500"))
            hold(not any(set("\r\n\0") & set(value) for _, value in said[-1][1]))
        except Exception as error:  # noqa: BLE001  Any is what we look for.
            finds += 1
            tell(method.encode(), repr(headers).encode(), error)
    return finds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=20261122)
    parser.add_argument("--values", type=int, default=VALUES)
    parser.add_argument("--requests", type=int, default=REQUESTS, help="through each shell")
    given = parser.parse_args()
    clock = SystemClock()
    begun_s = clock.monotonic_s()
    finds = read_values(given.seed, given.values)
    each = given.values // len(READERS)
    print(f"{each * len(READERS):,} values to {len(READERS)} readers, {each:,} each: {finds} finds")
    more = ask_requests(given.seed, given.requests)
    print(f"{given.requests:,} requests through each of two shells: {more} finds")
    print(f"seed {given.seed}, {clock.monotonic_s() - begun_s:.0f} s")
    return 1 if finds or more else 0


if __name__ == "__main__":
    sys.exit(main())
