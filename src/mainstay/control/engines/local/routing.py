"""Keeps the edge's idea of the replicas up to date: one push at a time, always the latest.

Many changes in a moment (three replicas got ready) become one push. Who must not go on before
a change has reached the traffic (a replica that is about to be stopped) waits for its ticket.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

from mainstay.core.clock import Clock
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
        clock: For how long there has been trouble.
        on_news: Called after each push, with the error of one that failed and None otherwise.
    """

    def __init__(
        self,
        router: Router,
        topology: Callable[[], Topology],
        *,
        clock: Clock,
        on_news: Callable[[EdgeRefused | EdgeUnavailable | None], None],
    ) -> None:
        self._router = router
        self._topology = topology
        self._clock = clock
        self._on_news = on_news
        self._trouble: EdgeRefused | EdgeUnavailable | None = None
        self._trouble_since_s = 0.0
        self._asked = 0
        self._taken = 0
        self._changed = asyncio.Event()
        self._news = asyncio.Condition()

    @property
    def current(self) -> bool:
        """Whether the traffic follows every change that was told."""
        return self._taken == self._asked

    def trouble(self, patience_s: float) -> str | None:
        """Return why the edge takes no change, once that has gone on for ``patience_s``."""
        waited_s = self._clock.monotonic_s() - self._trouble_since_s
        if self._trouble is None or waited_s < patience_s:
            return None
        return str(self._trouble)

    def changed(self) -> int:
        """Say that the topology changed; return a ticket for ``taken``."""
        self._asked += 1
        self._changed.set()
        return self._asked

    async def taken(self, ticket: int) -> None:
        """Wait until the change of ``ticket`` reached the traffic, however long that takes."""
        async with self._news:
            await self._news.wait_for(lambda: self._taken >= ticket)

    async def run(self) -> None:
        """Push for ever; cancel to end."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            ticket = self._asked
            try:
                await self._router.route(self._topology())
            except (EdgeRefused, EdgeUnavailable) as error:
                if self._trouble is None:
                    self._trouble_since_s = self._clock.monotonic_s()
                self._trouble = error
                self._on_news(error)
                self._changed.set()
                await asyncio.sleep(RETRY_PAUSE_S)
                continue
            async with self._news:
                self._taken = ticket
                self._news.notify_all()
            self._trouble = None
            self._on_news(None)
