"""What the wrapper costs a request in instructions: ``python bench/instructions.py``.

Counted by the processor, part by part, each app in a real server of its own: bare, wrapped, and
wrapped with one part less. The counts differ by a percent or two between runs, whatever else the
machine does, where times on a busy one say little. ``--in-process`` counts the app alone, with a
scope, a receive and a send that cost nearly nothing: what is left to the server shows there.
Cycles are those of this machine in this hour: caches, and whoever shares them, are in them. So
each app is driven in many short rounds in process, of which the cheapest counts.
"""

import argparse
import asyncio
import contextlib
from collections.abc import MutableMapping
from typing import Any

from counters import Counters, Spent
from stack import REQUESTS, drive, receiving, served
from stack_apps import PARTS, make

WARM = 3000
"""Requests until caches are filled and CPython has specialised what it will."""

ROUNDS = 400
"""So short that many of them pass undisturbed."""

HEADERS = [tuple(line.split(b": ", 1)) for line in REQUESTS[0].split(b"\r\n")[1:-2]]
"""Those that the server would get, of a caller who sampled."""


def in_server(name: str, server: str, seconds: float) -> Spent:
    """Return what one request costs the process of a real server, by several connections."""
    with receiving() as receiver, served(name, server, receiver) as one:
        drive(one.port, seconds)
        with Counters(one.pid) as counters:
            before = counters.read()
            answered, _ = drive(one.port, seconds)
            return (counters.read() - before).per(answered)


def in_process(name: str, requests: int) -> Spent:
    """Return what one request costs this thread, without any server."""
    app = make(name)

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        del message

    async def many(count: int) -> None:
        for _ in range(count):
            scope = {
                "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"},
                "http_version": "1.1", "method": "GET", "scheme": "http", "path": "/items/17",
                "raw_path": b"/items/17", "query_string": b"q=a", "root_path": "",
                "headers": list(HEADERS), "client": ("127.0.0.1", 50_000),
                "server": ("127.0.0.1", 8000), "extensions": {}, "state": {},
            }  # fmt: skip
            await app(scope, receive, send)

    async def measured() -> Spent:
        await many(WARM)
        rounds = []
        with Counters() as counters:
            for _ in range(ROUNDS):
                before = counters.read()
                await many(requests // ROUNDS)
                rounds.append((counters.read() - before).per(requests // ROUNDS))
        # The least of each: what others do beside only adds.
        return Spent(*map(min, zip(*rounds, strict=True)))

    return asyncio.run(measured())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frameworks", default="starlette,fastapi")
    parser.add_argument("--server", default="granian")
    parser.add_argument("--in-process", action="store_true")
    parser.add_argument("--seconds", type=float, default=2.0, help="for each app in a server")
    parser.add_argument("--requests", type=int, default=20_000, help="for each app in process")
    options = parser.parse_args()
    parts = [*PARTS, "-".join(PARTS)]
    print(f"{'per request':46}{'instructions':>13}{'more':>9}{'cycles':>9}{'kernel cycles':>15}")
    for framework in options.frameworks.split(","):
        bare = None
        hows = ["bare", "wrapped", *(f"wrapped-{part}" for part in parts)]
        if not options.in_process:
            # Its lines would go to our own stdout.
            hows.append("whole")
        for how in hows:
            name = f"{framework}-{how}"
            spent = (
                in_process(name, options.requests)
                if options.in_process
                else in_server(name, options.server, options.seconds)
            )
            bare = spent if bare is None else bare
            more = spent.instructions - bare.instructions
            print(
                f"{name:46}{spent.instructions:13,.0f}{more:9,.0f}"
                f"{spent.cycles:9,.0f}{spent.kernel_cycles:15,.0f}"
            )


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
