"""Ports by which services reach each other, where somebody takes one before the proxy listens."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterator
from http import HTTPStatus
from http.client import HTTPConnection

import psutil
import pytest
from tests.system.up.site import Site

from mainstay.cli import wiring
from mainstay.cli.place import control_socket, state_of
from mainstay.control.api.client import call
from mainstay.control.api.wire import Json
from mainstay.control.engines.local.ports import Ports
from mainstay.core.errors import EdgeRefused
from mainstay.edge.envoy.resources import Resources
from mainstay.edge.running.runtime import EdgeRuntime
from mainstay.spec.address import url_variable

pytestmark = pytest.mark.system

LONG_S = 60.0


@pytest.fixture
def pair(site: Site) -> Site:
    """Two services, of which one calls the other; not yet started."""
    site.declare("name: pair\nsystem: [web, store]\n")
    declared(
        site,
        "web",
        f"edge: {site.port}\ndependencies: {{store: {{service: store, timeout: 2s}}}}\n",
    )
    declared(site, "store", "")
    return site


def calls(service: str) -> str:
    return f"dependencies: {{{service}: {{service: {service}, timeout: 2s}}}}\n"


def declared(site: Site, service: str, more: str) -> None:
    folder = site.folder / service
    folder.mkdir(exist_ok=True)
    (folder / "mainstay.yaml").write_text(
        f"service: {service}\ncommand: python ../plain.py $PORT\n{more}", "utf-8"
    )


@pytest.fixture
def thief() -> Iterator[socket.socket]:
    with socket.socket() as listener:
        yield listener


async def asked(site: Site, command: str) -> Json:
    path = control_socket(state_of(site.folder))
    return await asyncio.to_thread(call, path, command, timeout_s=LONG_S)


def answers(status: Json, service: str, dependency: str) -> bool:
    """Return whether a service is answered at the address that each replica of another was told."""
    (replicas,) = (one["replicas"] for one in status["services"] if one["name"] == service)
    for replica in replicas:
        url = psutil.Process(replica["pid"]).environ()[url_variable(dependency)]
        connection = HTTPConnection(url.removeprefix("http://"), timeout=LONG_S)
        with contextlib.closing(connection):
            connection.request("GET", "/")
            if connection.getresponse().status != HTTPStatus.OK:
                return False
    return bool(replicas)


async def test_a_port_that_somebody_took_meanwhile_is_left_to_him(
    pair: Site, thief: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = wiring.Site(pair.folder, env=None, environ=dict(os.environ), on_event=lambda _: None)
    began: list[int] = []
    start = EdgeRuntime.start

    async def start_late(self: EdgeRuntime, resources: Resources) -> None:
        port = running._internal.known["store"]
        if not began:
            thief.bind(("127.0.0.1", port))
            thief.listen()
        began.append(port)
        await start(self, resources)

    monkeypatch.setattr(EdgeRuntime, "start", start_late)
    life = asyncio.create_task(running.run())
    while not began[1:] or running._edge.process is None:
        assert not life.done(), life.exception()
        await asyncio.sleep(0.02)
    status = await asked(pair, "wait")
    assert status["settled"] is True
    assert began[0] != began[1]
    assert await asyncio.to_thread(answers, status, "web", "store")
    await asked(pair, "down")
    await life


async def test_a_port_that_was_taken_as_a_service_came_is_not_tried_again(
    pair: Site, thief: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    thief.bind(("127.0.0.1", 0))
    thief.listen()
    running = wiring.Site(pair.folder, env=None, environ=dict(os.environ), on_event=lambda _: None)
    life = asyncio.create_task(running.run())
    while running._edge.process is None:
        assert not life.done(), life.exception()
        await asyncio.sleep(0.02)
    await asked(pair, "wait")
    declared(pair, "stock", "")
    declared(pair, "store", calls("stock"))
    pair.declare("name: pair\nsystem: [web, store, stock]\n")
    free = Ports.free
    with monkeypatch.context() as patched:
        patched.setattr(Ports, "free", lambda _: thief.getsockname()[1])
        with pytest.raises(EdgeRefused, match="already in use"):
            await asked(pair, "apply")
    assert Ports.free is free
    status = await asked(pair, "apply")
    assert status["settled"] is True
    assert await asyncio.to_thread(answers, status, "store", "stock")
    await asked(pair, "down")
    await life
