"""Ports and hosts of listeners change while others are under load, and nobody else notices."""

import asyncio
import socket
import sys
import time  # noqa: TID251  The time until a listener is back is what is measured.
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import pytest
from tests.ports import free_port
from tests.system.edge.world import Backend, World, until

from mainstay.core.errors import EdgeRefused
from mainstay.edge import Endpoint, Resources, Topology, compile_edge
from mainstay.spec.declaration import Declaration, Member, System
from mainstay.spec.edge import Edge

pytestmark = pytest.mark.system

ALL = "0.0.0.0"  # noqa: S104  Only for the moment of the test.


@dataclass
class Trio:
    """Three services, each with one backend that says its name."""

    world: World
    backends: dict[str, Backend] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)

    async def up(self) -> None:
        for name in ("first", "second", "third"):
            self.backends[name] = await self.world.backend(name)
            self.ports[name] = free_port()
        await self.world.edge.start(self.resources())

    def resources(
        self, ports: Mapping[str, int] | None = None, hosts: Mapping[str, str] | None = None
    ) -> Resources:
        members = tuple(
            Member(
                folder=self.world.folder,
                declaration=Declaration(
                    service=name,
                    app="a:b",
                    edge=Edge(port=port, host=(hosts or {}).get(name, "127.0.0.1")),
                ),
            )
            for name, port in {**self.ports, **(ports or {})}.items()
        )
        endpoints = tuple(
            (name, (Endpoint(host="127.0.0.1", port=one.port, version="dev"),))
            for name, one in self.backends.items()
        )
        topology = Topology(
            endpoints=endpoints, checks=tuple((name, "http") for name in self.backends)
        )
        return compile_edge(System(name="trio", root=self.world.folder, members=members), topology)

    async def ask(self, port: int) -> str:
        """Who answers at a port, over a connection of its own."""
        async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
            try:
                response = await client.get(f"http://127.0.0.1:{port}/")
            except httpx.HTTPError as error:
                return type(error).__name__
            return response.text if response.status_code == 200 else str(response.status_code)

    @asynccontextmanager
    async def load(self, port: int) -> AsyncIterator[Counter[str]]:
        """Ask again and again meanwhile, over new connections; what was answered, by who."""
        found: Counter[str] = Counter()
        going = True

        async def client() -> None:
            while going:
                found[await self.ask(port)] += 1

        clients = [asyncio.create_task(client()) for _ in range(2)]
        await until(lambda: sum(found.values()) >= 5, "the load runs")
        try:
            yield found
        finally:
            more = sum(found.values()) + 5
            await until(lambda: sum(found.values()) >= more, "the load went on")
            going = False
            await asyncio.gather(*clients)


@pytest.fixture
async def trio(world: World) -> Trio:
    made = Trio(world)
    await made.up()
    return made


async def test_two_services_swap_their_ports_and_no_request_fails(trio: Trio) -> None:
    first, second, third = trio.ports.values()
    async with trio.load(first) as of_first, trio.load(third) as of_third:
        await trio.world.edge.push(trio.resources({"first": second, "second": first}))
        assert (await trio.ask(first), await trio.ask(second)) == ("second", "first")
    assert set(of_third) == {"third"}
    assert set(of_first) == {"first", "second"}, "its socket went from one to the other"


async def test_a_listener_opens_to_all_and_closes_again(
    trio: Trio, capsys: pytest.CaptureFixture[str]
) -> None:
    first, _, third = trio.ports.values()
    async with trio.load(third) as of_third:
        for hosts in ({"first": ALL}, {"first": "127.0.0.1"}):
            began_s = time.monotonic()
            await trio.world.edge.push(trio.resources(hosts=hosts))
            assert await trio.ask(first) == "first"
            took_s = time.monotonic() - began_s
            with capsys.disabled():
                sys.stdout.write(f"\nListener moved: back after {took_s * 1000:.0f} ms\n")
            # The figure to show is 1 s; the bound leaves room for a machine that has other work.
            assert took_s < 8
    assert set(of_third) == {"third"}


async def test_a_move_to_a_taken_port_costs_nobody_a_request(trio: Trio) -> None:
    first, _, third = trio.ports.values()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        async with trio.load(first) as of_first, trio.load(third) as of_third:
            with pytest.raises(EdgeRefused, match=f"cannot bind '127.0.0.1:{port}'"):
                await trio.world.edge.push(trio.resources({"first": port}))
    assert (set(of_first), set(of_third)) == ({"first"}, {"third"})


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has 127.0.0.2 by itself")
async def test_a_host_that_cannot_be_opened_leaves_the_old_one(trio: Trio) -> None:
    first, _, third = trio.ports.values()
    with socket.socket() as taken:
        # Stands beside 127.0.0.1, and in the way of all addresses.
        taken.bind(("127.0.0.2", first))
        taken.listen()
        async with trio.load(third) as of_third:
            with pytest.raises(EdgeRefused, match=r"cannot bind '0\.0\.0\.0"):
                await trio.world.edge.push(trio.resources(hosts={"first": ALL}))

            async def back() -> bool:
                return await trio.ask(first) == "first"

            await until(back, "the old listener is back")
    assert set(of_third) == {"third"}
