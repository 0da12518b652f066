"""Ports by which services reach each other, where somebody takes one before the proxy listens."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from http.client import HTTPConnection

import psutil
import pytest
from tests.system.up.site import Site, eventually

from mainstay.cli import wiring
from mainstay.cli.place import control_socket, state_of
from mainstay.control.api.client import call
from mainstay.control.api.wire import Json
from mainstay.control.engines.local.folder import lock_holder
from mainstay.control.engines.local.ports import Ports
from mainstay.core.errors import EdgeRefused
from mainstay.edge.envoy.resources import Resources
from mainstay.edge.running.moves import address_of
from mainstay.edge.running.runtime import EdgeRuntime
from mainstay.spec.address import url_variable

pytestmark = pytest.mark.system

LONG_S = 60.0


@pytest.fixture
def pair(site: Site) -> Site:
    """Two services, of which one calls the other; not yet started."""
    site.declare("name: pair\nsystem: [web, store]\n")
    declared(site, "web", f"edge: {site.port}\n{calls('store')}")
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


@asynccontextmanager
async def running(site: Site) -> AsyncIterator[wiring.Site]:
    """Run a system in this process, as its daemon would, and end it."""
    one = wiring.Site(site.folder, env=None, environ=dict(os.environ), on_event=lambda _: None)
    life = asyncio.create_task(one.run())
    try:
        while one._edge.process is None:
            if life.done():
                await life
            await asyncio.sleep(0.02)
        yield one
        await asked(site, "down")
        await life
    finally:
        life.cancel()
        await asyncio.gather(life, return_exceptions=True)


def taken(thief: socket.socket, port: int = 0) -> int:
    """Have somebody listen on a port, and return it."""
    # As a server: connections of somebody before that are only closing don't hold it.
    thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    thief.bind(("127.0.0.1", port))
    thief.listen()
    found: int = thief.getsockname()[1]
    return found


def add_stock(site: Site) -> None:
    declared(site, "stock", "")
    declared(site, "store", calls("stock"))
    site.declare("name: pair\nsystem: [web, store, stock]\n")


async def test_a_port_that_somebody_took_meanwhile_is_left_to_him(
    pair: Site, thief: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    began: list[int] = []
    start = EdgeRuntime.start

    async def start_late(self: EdgeRuntime, resources: Resources) -> None:
        addresses = map(address_of, resources.listeners)
        (port,) = {address.port for address in addresses if address} - {pair.port}
        if not began:
            taken(thief, port)
        began.append(port)
        await start(self, resources)

    monkeypatch.setattr(EdgeRuntime, "start", start_late)
    async with running(pair):
        status = await asked(pair, "wait")
        assert status["settled"] is True
        assert len(set(began)) == 2
        assert await asyncio.to_thread(answers, status, "web", "store")


async def test_a_port_that_was_taken_as_a_service_came_is_not_tried_again(
    pair: Site, thief: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = taken(thief)
    async with running(pair):
        await asked(pair, "wait")
        add_stock(pair)
        with monkeypatch.context() as patched:
            patched.setattr(Ports, "free", lambda _: port)
            with pytest.raises(EdgeRefused, match="already in use"):
                await asked(pair, "apply")
        status = await asked(pair, "apply")
        assert status["settled"] is True
        assert await asyncio.to_thread(answers, status, "store", "stock")


async def test_a_service_that_comes_back_leaves_its_old_port_to_whoever_has_it(
    pair: Site, thief: socket.socket
) -> None:
    async with running(pair) as daemon:
        add_stock(pair)
        await asked(pair, "apply")
        port = daemon._internal.known["stock"]
        declared(pair, "store", "")
        pair.declare("name: pair\nsystem: [web, store]\n")
        await asked(pair, "apply")
        taken(thief, port)
        add_stock(pair)
        status = await asked(pair, "apply")
        assert daemon._internal.known["stock"] != port
        assert await asyncio.to_thread(answers, status, "store", "stock")


async def test_a_change_that_is_refused_takes_nothing_from_the_next_one(
    pair: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Law: changes of the declaration happen one after the other."""
    pushed, gate, push = asyncio.Event(), asyncio.Event(), EdgeRuntime.push

    async def refuse_first(self: EdgeRuntime, resources: Resources) -> None:
        if not pushed.is_set():
            pushed.set()
            await gate.wait()
            raise EdgeRefused("not today")
        await push(self, resources)

    async with running(pair) as daemon:
        await asked(pair, "wait")
        add_stock(pair)
        monkeypatch.setattr(EdgeRuntime, "push", refuse_first)
        first = asyncio.create_task(daemon._renew(None, None))
        await pushed.wait()
        second = asyncio.create_task(daemon._renew(None, None))
        await asyncio.sleep(0)
        gate.set()
        with pytest.raises(EdgeRefused, match="not today"):
            await first
        await second
        status = await asked(pair, "wait")
        assert await asyncio.to_thread(answers, status, "store", "stock")


async def test_whoever_takes_a_proxy_over_leaves_a_taken_port_too(
    pair: Site, thief: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await asyncio.to_thread(pair.up)
    os.kill(before["daemon"]["pid"], signal.SIGKILL)
    lock = state_of(pair.folder) / "lock"
    await asyncio.to_thread(eventually, lambda: lock_holder(lock) is None)
    add_stock(pair)
    port, free = taken(thief), Ports.free
    gave: list[int] = []

    def free_later(self: Ports) -> int:
        gave.append(port if not gave else free(self))
        return gave[-1]

    monkeypatch.setattr(Ports, "free", free_later)
    async with running(pair) as daemon:
        status = await asked(pair, "wait")
        assert status["proxy"]["pid"] == before["proxy"]["pid"]
        assert gave[0] == port != daemon._internal.known["stock"]
        assert await asyncio.to_thread(answers, status, "store", "stock")
