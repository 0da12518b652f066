"""Keeps the edge's idea of the replicas up to date: one push at a time, always the latest.

Many changes in a moment (three replicas got ready) become one push. Who must not go on before
a change has reached the traffic (a replica that is about to be stopped) waits for its ticket.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

from mainstay.core.errors import EdgeRefused, EdgeUnavailable
from mainstay.edge.topology import Topology

RETRY_PAUSE_S = 0.2
"""After a push that failed; the edge may be on its way back."""


class Router(Protocol):
    """What routes traffic: the edge, or a fake that remembers."""

    async def route(self, topology: Topology) -> None:
        """Return when traffic follows ``topology``; raise EdgeRefused or EdgeUnavailable."""
        ...


class Routing:
    """Pushes topologies until the newest one is taken.

    Args:
        router: Where they go.
        topology: Returns the present one; called right before each push.
        on_trouble: Told of each push that failed.
    """

    def __init__(
        self,
        router: Router,
        topology: Callable[[], Topology],
        *,
        on_trouble: Callable[[EdgeRefused | EdgeUnavailable], None],
    ) -> None:
        self._router = router
        self._topology = topology
        self._on_trouble = on_trouble
        self._asked = 0
        self._taken = 0
        self._changed = asyncio.Event()
        self._news = asyncio.Condition()

    def changed(self) -> int:
        """Say that the topology changed; return a ticket for ``taken``."""
        self._asked += 1
        self._changed.set()
        return self._asked

    async def taken(self, ticket: int, *, timeout_s: float) -> bool:
        """Wait until the change of ``ticket`` reached the traffic; False if it took too long."""
        async with self._news:
            try:
                await asyncio.wait_for(
                    self._news.wait_for(lambda: self._taken >= ticket), timeout_s
                )
            except TimeoutError:
                return False
        return True

    async def run(self) -> None:
        """Push for ever; cancel to end."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            ticket = self._asked
            try:
                await self._router.route(self._topology())
            except (EdgeRefused, EdgeUnavailable) as error:
                self._on_trouble(error)
                self._changed.set()
                await asyncio.sleep(RETRY_PAUSE_S)
                continue
            async with self._news:
                self._taken = ticket
                self._news.notify_all()
