"""The way out of a real process: long requests, websockets, a stream, background work, closers."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
import websockets
from tests.system.served import GENEROUS_S, Serve, Served, until

from mainstay.core.clock import SystemClock

pytestmark = pytest.mark.system

SERVERS = ("granian", "uvicorn")
REQUESTS, SOCKETS = 200, 50


async def get(port: int, path: str) -> tuple[int, bytes]:
    """Ask once over a connection of its own; return status and body, unchunked."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        status = int(head.split(" ", 2)[1])
        if "transfer-encoding: chunked" not in head:
            length = int(head.split("content-length: ", 1)[1].split("\r\n", 1)[0])
            return status, await reader.readexactly(length)
        body = b""
        while size := int((await reader.readline()).strip(), 16):
            body += await reader.readexactly(size)
            await reader.readline()
        return status, body
    finally:
        writer.close()


async def socket_end(port: int, path: str) -> tuple[int, str, list[str]]:
    """Open a websocket and wait for its end; return close code, reason and what was said."""
    said: list[str] = []
    async with websockets.connect(f"ws://127.0.0.1:{port}{path}", open_timeout=GENEROUS_S) as one:
        # To this library 1012 is an error, after which one connects anew; 1001 would be none.
        with pytest.raises(websockets.ConnectionClosedError):
            await listen(one, said)
        return one.close_code or 0, one.close_reason or "", said


async def listen(one: websockets.ClientConnection, said: list[str]) -> None:
    while True:
        said.append(str(await one.recv()))


async def counted(one: Served, ready: Callable[[dict[str, int]], bool]) -> None:
    """Wait until the app has begun what a test asked it for."""

    def look() -> bool:
        return ready(json.loads(one.ask("/counted")[2]))

    await asyncio.to_thread(until, look, "begun")


def did(one: Served) -> list[dict[str, Any]]:
    """Return what the app said of itself, in order."""
    said = [json.loads(line) for line in one.out.read_text().splitlines()]
    return [line for line in said if "did" in line]


async def started(
    serve: Serve, server: str, *more: str, app: str = "app", **environ: str
) -> Served:
    one = serve(f"drained_apps:{app}", "--server", server, *more, **environ)
    return await asyncio.to_thread(one.ready)


@pytest.mark.parametrize("server", SERVERS)
async def test_everything_in_flight_ends_well(serve: Serve, server: str) -> None:
    """200 requests finish, 50 sockets are sent elsewhere, a stream is whole, the code is 0."""
    one = await started(serve, server, "--drain", "60s", LONG_S="8")
    async with asyncio.TaskGroup() as group:
        requests = [group.create_task(get(one.port, "/long")) for _ in range(REQUESTS)]
        sockets = [group.create_task(socket_end(one.port, "/polite")) for _ in range(SOCKETS)]
        stream = group.create_task(get(one.port, "/stream"))
        wanted = {"long": REQUESTS, "polite": SOCKETS, "stream": 1}
        await counted(one, lambda begun: wanted.items() <= begun.items())
        assert not any(task.done() for task in (*requests, *sockets, stream))
        begun_s = SystemClock().monotonic_s()
        one.stop()
    assert [task.result() for task in requests] == [(200, b"long")] * REQUESTS
    assert [task.result() for task in sockets] == [
        (1012, "service restart", ["last word"])
    ] * SOCKETS
    status, events = stream.result()
    assert (status, events.count(b"data:"), events.endswith(b"data: end\n\n")) == (200, 21, True)
    assert await asyncio.to_thread(one.ended) == 0
    assert SystemClock().monotonic_s() - begun_s < 60
    assert one.err.read_text() == ""
    told = [line for line in did(one) if line["did"] == "told"]
    assert [(line["code"], line["reason"]) for line in told] == [
        (1012, "service restart")
    ] * SOCKETS


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("app", ["careless", "deaf", "stubborn"])
async def test_every_socket_gets_its_notice_whatever_its_app_does(
    serve: Serve, server: str, app: str
) -> None:
    one = await started(serve, server, "--drain", "8s")
    async with asyncio.TaskGroup() as group:
        sockets = [group.create_task(socket_end(one.port, f"/{app}")) for _ in range(5)]
        await counted(one, lambda begun: begun.get(app) == 5)
        one.stop()
    assert {task.result()[:2] for task in sockets} == {(1012, "service restart")}
    assert await asyncio.to_thread(one.ended) == 0
    assert one.err.read_text() == ""
    cancelled = [line for line in did(one) if line["did"] == "cancelled"]
    assert len(cancelled) == (5 if app == "stubborn" else 0)
    assert [line["status"] for line in one.lines(f"/{app}")] == [101] * 5


@pytest.mark.parametrize("server", SERVERS)
async def test_the_way_out_is_gone_in_its_order(serve: Serve, server: str) -> None:
    """Background work, the app's own lifespan, clients, pools, telemetry; then the end."""
    one = await started(serve, server, LONG_S="1.5")
    for _ in range(2):
        assert (await asyncio.to_thread(one.ask, "/later", method="POST"))[0] == 202
    one.stop()
    assert await asyncio.to_thread(one.ended) == 0
    assert one.err.read_text() == ""
    order = [line["did"] for line in did(one)]
    assert order == ["background"] * 4 + ["app", "clients", "pools", "telemetry"]


async def test_a_wsgi_app_goes_the_same_way(serve: Serve) -> None:
    one = await started(serve, "granian", app="threads", LONG_S="1.5")
    await asyncio.to_thread(one.ask, "/later")
    one.stop()
    assert await asyncio.to_thread(one.ended) == 0
    assert one.err.read_text() == ""
    assert [line["did"] for line in did(one)] == ["background"] * 2 + ["clients", "telemetry"]


@pytest.mark.parametrize("server", SERVERS)
async def test_the_bound_cuts_the_background_and_telemetry_is_still_flushed(
    serve: Serve, server: str
) -> None:
    one = await started(serve, server, "--drain", "1s", LONG_S="300")
    assert (await asyncio.to_thread(one.ask, "/later", method="POST"))[0] == 202
    one.stop()
    assert await asyncio.to_thread(one.ended) == 0
    assert "cut off 2 pieces of background work" in one.err.read_text()
    assert [line["did"] for line in did(one)][-1] == "telemetry"


@pytest.mark.parametrize("server", SERVERS)
async def test_a_server_that_hangs_does_not_keep_telemetry_from_being_flushed(
    serve: Serve, server: str
) -> None:
    """A request that never ends holds the server beyond the bound; closers run nevertheless."""
    one = await started(serve, server, "--drain", "1s", LONG_S="300")
    request = asyncio.create_task(get(one.port, "/long"))
    await counted(one, lambda begun: begun.get("long") == 1)
    one.stop()
    assert await asyncio.to_thread(one.ended) == 0
    with pytest.raises((OSError, asyncio.IncompleteReadError)):
        await request
    assert "cutting off 1 requests in flight" in one.err.read_text()
    assert [line["did"] for line in did(one)] == ["clients", "pools", "telemetry"]


async def test_a_probe_is_answered_with_all_threads_busy(serve: Serve) -> None:
    """Of a WSGI app whose every thread works, and before which others wait for their turn."""
    one = await started(serve, "granian", "--threads", "4", app="threads", LONG_S="300")
    requests = [asyncio.create_task(get(one.port, "/long")) for _ in range(30)]

    def begun() -> int:
        return sum(line["did"] == "long" for line in did(one))

    await asyncio.to_thread(until, lambda: begun() == 4, "all threads busy")
    for path in ("/health/live", "/health/ready", "/health"):
        assert (await asyncio.to_thread(one.ask, path))[0] == 200
    assert begun() == 4
    assert not any(task.done() for task in requests)
    for task in requests:
        task.cancel()
    await asyncio.gather(*requests, return_exceptions=True)
