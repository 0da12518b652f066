"""`mainstay restart` with everything in flight behind the edge: nothing is cut off."""

import asyncio
import json
from pathlib import Path

import pytest
from tests.system.test_drain import get, socket_end
from tests.system.up.site import Site, eventually

pytestmark = pytest.mark.system

REQUESTS, SOCKETS = 200, 50

APP = """
import asyncio, json, os
from mainstay import Service

service = Service.load()
begun = {"long": 0, "socket": 0, "stream": 0}


def note(kind):
    # One file for each replica: the test adds them up, whichever of them the edge chose.
    begun[kind] += 1
    with open(f"begun-{os.getpid()}.new", "w") as file:
        json.dump(begun, file)
    os.replace(f"begun-{os.getpid()}.new", f"begun-{os.getpid()}.json")


async def answer(scope, receive, send):
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        note("socket")
        while (await receive())["type"] != "websocket.disconnect":
            pass
        return
    if scope["type"] != "http":
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    if scope["path"] == "/stream":
        note("stream")
        for number in range(30):
            await send({"type": "http.response.body", "body": b"data\\n", "more_body": True})
            await asyncio.sleep(0.2)
        await send({"type": "http.response.body", "body": b"end\\n"})
        return
    note("long")
    await asyncio.sleep(6)
    await send({"type": "http.response.body", "body": b"long"})


app = service.asgi(answer)
"""


@pytest.fixture
def busy(site: Site) -> Site:
    (site.folder / "busy.py").write_text(APP)
    site.declare(
        "service: web\n"
        "app: busy:app\n"
        "run: {replicas: 2}\n"
        "inbound: {deadline: 60s, drain: 60s, shed: {mode: fixed, limit: 1000}}\n"
        "edge: {port: @PORT@}\n"
    )
    return site


def begun(folder: Path) -> dict[str, int]:
    found = [json.loads(path.read_text()) for path in folder.glob("begun-*.json")]
    return {kind: sum(one[kind] for one in found) for kind in ("long", "socket", "stream")}


async def test_a_restart_cuts_nothing_off(busy: Site) -> None:
    """200 requests, 50 websockets and a stream in flight, and both replicas are replaced."""
    await asyncio.to_thread(busy.up)
    before = set(busy.pids().values())
    wanted = {"long": REQUESTS, "socket": SOCKETS, "stream": 1}
    async with asyncio.TaskGroup() as group:
        requests = [group.create_task(get(busy.port, "/long")) for _ in range(REQUESTS)]
        sockets = [group.create_task(socket_end(busy.port, "/socket")) for _ in range(SOCKETS)]
        stream = group.create_task(get(busy.port, "/stream"))
        await asyncio.to_thread(eventually, lambda: begun(busy.folder) == wanted, what="begun")
        assert not any(task.done() for task in (*requests, *sockets, stream))
        done = await asyncio.to_thread(busy.run, "restart", "web")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [task.result() for task in requests] == [(200, b"long")] * REQUESTS
    assert {task.result()[:2] for task in sockets} == {(1012, "service restart")}
    assert stream.result() == (200, b"data\n" * 30 + b"end\n")
    assert not before & set(busy.pids().values())
