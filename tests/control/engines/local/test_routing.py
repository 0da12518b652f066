"""Changes become pushes: coalesced, retried, and waited for by ticket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mainstay.control.engines.local.routing import Routing
from mainstay.core.errors import EdgeRefused, EdgeUnavailable
from mainstay.edge.topology import Topology
from mainstay.testing import VirtualClock, run_virtual


class Edge:
    """A router that takes its time and may refuse."""

    def __init__(self, *, takes_s: float = 0.01, refusals: int = 0) -> None:
        self.takes_s = takes_s
        self.refusals = refusals
        self.routed: list[Topology] = []

    async def route(self, topology: Topology) -> None:
        await asyncio.sleep(self.takes_s)
        if self.refusals:
            self.refusals -= 1
            raise EdgeUnavailable("on its way back")
        self.routed.append(topology)


class World:
    def __init__(self, edge: Edge) -> None:
        self.edge = edge
        self.version = 0
        self.news: list[EdgeRefused | EdgeUnavailable | None] = []
        self.routing = Routing(
            edge, self.topology, clock=VirtualClock.running(), on_news=self.news.append
        )

    def topology(self) -> Topology:
        return Topology(checks=(("version", str(self.version)),))

    def change(self) -> int:
        self.version += 1
        return self.routing.changed()


@asynccontextmanager
async def running(edge: Edge) -> AsyncIterator[World]:
    world = World(edge)
    task = asyncio.create_task(world.routing.run())
    try:
        yield world
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_many_changes_at_once_are_one_push_of_the_last() -> None:
    async def scene() -> None:
        async with running(Edge()) as world:
            tickets = [world.change() for _ in range(50)]
            for one in tickets:
                await world.routing.taken(one)
            assert world.edge.routed == [world.topology()]

    run_virtual(scene())


def test_a_ticket_waits_for_a_push_that_began_after_its_change() -> None:
    """Law: when a ticket is taken, the traffic follows a topology that has its change."""

    async def scene() -> None:
        async with running(Edge(takes_s=1.0)) as world:
            world.change()
            await asyncio.sleep(0.5)
            late = world.change()
            await world.routing.taken(late)
            assert world.edge.routed[-1] == world.topology()
            assert len(world.edge.routed) == 2

    run_virtual(scene())


def test_a_push_that_fails_is_tried_again_and_told() -> None:
    async def scene() -> None:
        async with running(Edge(refusals=3)) as world:
            await world.routing.taken(world.change())
            assert [str(one) for one in world.news] == ["on its way back"] * 3 + ["None"]
            assert world.edge.routed == [world.topology()]
            assert world.routing.current

    run_virtual(scene())


def test_an_edge_that_takes_nothing_is_trouble_after_a_while_and_holds_its_tickets() -> None:
    """Law: no ticket is given out for a change that the traffic does not follow."""

    async def scene() -> None:
        async with running(Edge(refusals=10**9)) as world:
            waiting = asyncio.create_task(world.routing.taken(world.change()))
            await asyncio.sleep(5.0)
            assert world.routing.trouble(10.0) is None
            await asyncio.sleep(6.0)
            assert world.routing.trouble(10.0) == "on its way back"
            assert not world.routing.current
            assert not waiting.done()
            world.edge.refusals = 0
            await waiting
            assert world.routing.trouble(0.0) is None

    run_virtual(scene())
