"""Looks at the edge's figures and the replicas' memory every few seconds, and tells the engine."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from mainstay.control.engines.local.engine import LocalEngine
from mainstay.control.engines.local.launching import HOST
from mainstay.control.engines.local.plan import Phase
from mainstay.control.engines.local.replica import RunningReplica
from mainstay.control.status import Sample, Traffic, add, traffic
from mainstay.core.clock import Clock
from mainstay.core.errors import EdgeUnavailable
from mainstay.edge.running.stats import EdgeStats, ReplicaStats

SAMPLE_S: Final = 2.0
"""Between two looks."""

MEMORY_SHARE_MAX: Final = 0.9
"""A replica above this share of its memory bound is replaced gracefully before the bound ends it.
Best practices, health checks: memory usage > 90 %, graceful restart."""


class Monitor:
    """Samples and judges.

    Args:
        engine: Whose replicas are watched.
        stats: The edge's figures, or EdgeUnavailable.
        clock: For the times of samples.
    """

    def __init__(
        self,
        engine: LocalEngine,
        stats: Callable[[], Awaitable[EdgeStats]],
        clock: Clock,
    ) -> None:
        self._engine = engine
        self._stats = stats
        self._clock = clock
        self._samples: dict[str, tuple[Sample, ...]] = {}
        self._silence: str | None = None
        self._seen: dict[str, ReplicaStats] = {}

    async def run(self) -> None:
        """Look for ever; cancel to end."""
        while True:
            await self.look()
            await asyncio.sleep(SAMPLE_S)

    async def look(self) -> None:
        """Take one sample of everything and tell the engine what follows from it."""
        for replica in self._engine.replicas:
            if _outgrown(self._engine, replica):
                self._engine.retire(replica.name)
        try:
            stats = await self._stats()
        except EdgeUnavailable as error:
            # Nothing follows for the replicas: the edge is on its way back, or its keeper acts.
            self._silence = str(error)
            return
        self._silence = None
        now_s = self._clock.monotonic_s()
        self._samples = {
            service.service: add(
                self._samples.get(service.service, ()),
                Sample(
                    at_s=now_s,
                    requests=service.requests,
                    errors=service.errors,
                    p50_ms=service.p50_ms,
                    p99_ms=service.p99_ms,
                ),
            )
            for service in stats.services
        }
        self._seen = {one.address: one for service in stats.services for one in service.replicas}
        for replica in self._engine.replicas:
            seen = self.seen_of(replica)
            if seen is not None:
                # Ejection is the edge's own remedy; only a replica that fails its checks hangs.
                self._engine.mark(replica.name, healthy=seen.passing)

    @property
    def silence(self) -> str | None:
        """Why the edge did not tell its figures at the last look; None if it did."""
        return self._silence

    def traffic_of(self, service: str) -> Traffic:
        """Return the traffic of a service by the last samples."""
        return traffic(self._samples.get(service, ()))

    def seen_of(self, replica: RunningReplica) -> ReplicaStats | None:
        """Return what the edge last said of a replica, or None if it didn't."""
        return self._seen.get(f"{HOST}:{replica.port}")


def _outgrown(engine: LocalEngine, replica: RunningReplica) -> bool:
    bound = engine.memory_max_bytes(replica.service)
    if bound is None or replica.phase is not Phase.READY or replica.process is None:
        return False
    resident = replica.process.resident_bytes()
    return resident >= bound * MEMORY_SHARE_MAX
