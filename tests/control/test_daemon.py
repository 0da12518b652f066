"""The daemon's commands, over an engine of no services and a proxy that drains until it is let."""

import asyncio

import pytest

from mainstay.control.api.wire import Json
from mainstay.control.daemon import Daemon
from mainstay.control.engines.local.engine import LocalEngine
from mainstay.control.engines.local.ports import Ports
from mainstay.control.monitor import Monitor
from mainstay.core.errors import EdgeUnavailable, EngineRefused
from mainstay.core.events import Listeners
from mainstay.edge.running.stats import EdgeStats
from mainstay.edge.topology import Topology
from mainstay.testing import VirtualClock, run_virtual


class Edge:
    """Routes, and drains until it is let go."""

    def __init__(self) -> None:
        self.draining, self.drained = asyncio.Event(), asyncio.Event()

    async def route(self, topology: Topology) -> None:
        """Take any topology."""

    async def stats(self) -> EdgeStats:
        raise EdgeUnavailable("it has no figures")

    async def drain(self, grace_s: float) -> None:
        self.draining.set()
        await self.drained.wait()

    async def kill(self) -> None:
        self.drained.set()


class World:
    def __init__(self) -> None:
        self.edge = Edge()
        self.renewed = 0
        clock, listeners = VirtualClock.running(), Listeners()
        engine = LocalEngine(
            router=self.edge,
            clock=clock,
            ports=Ports(clock),
            emit=listeners.emit,
            save=lambda: None,
        )
        self.daemon = Daemon(
            engine=engine,
            proxy=self.edge,
            monitor=Monitor(engine, self.edge.stats, clock),
            renew=self.renew,
            describe=lambda: {"settled": True},
            listeners=listeners,
        )

    async def renew(self, *_: object) -> None:
        self.renewed += 1

    async def ask(self, command: str) -> Json:
        async def emit(event: Json) -> None:
            pass

        return await self.daemon.handlers[command]({}, emit)


@pytest.mark.parametrize("command", ["wait", "apply"])
def test_a_system_that_is_being_ended_is_never_called_settled(command: str) -> None:
    """Law: who asks between `down` and the end is refused, although everything is still there."""

    async def story() -> None:
        world = World()
        running = asyncio.create_task(world.daemon.run())
        assert await world.ask(command) == {"settled": True}
        assert world.renewed == (command == "apply")
        ending = asyncio.create_task(world.ask("down"))
        await world.edge.draining.wait()
        with pytest.raises(EngineRefused, match="is being ended"):
            await world.ask(command)
        # And nothing is changed any more.
        assert world.renewed == (command == "apply")
        world.edge.drained.set()
        assert await ending == {"ended": True}
        await running

    run_virtual(story())
