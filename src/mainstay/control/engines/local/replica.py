"""One replica: its process, from the launch to the end, and where it is in its life."""

import asyncio
from dataclasses import dataclass, field
from typing import Final

from mainstay.control.engines.local.launching import HOST
from mainstay.control.engines.local.plan import Phase, Replica
from mainstay.control.engines.local.probe import Outcome, listens, probe
from mainstay.control.processes.process import LocalProcess
from mainstay.edge.topology import Endpoint

PROBE_PAUSE_S: Final = 0.05
"""Between two looks at a replica that is starting."""

_NOT_FOUND = 404


@dataclass(kw_only=True, eq=False)
class RunningReplica:
    """The engine's hold on one replica. Mutable; owned by one event loop.

    Attributes:
        started_s: Monotonic time of its start or adoption.
        since_s: Monotonic time at which its phase began.
        process: None until it is launched.
        launched: Set once ``process`` is there, or never will be.
        check: How the edge checks it, ``http`` or ``tcp``; None until it was ready once.
        probe_port: Where it answers probes beside its work; until it is ready, where it may. None:
            nowhere.
    """

    name: str
    service: str
    number: int
    port: int
    version: str
    revision: str
    started_s: float
    since_s: float
    phase: Phase = Phase.STARTING
    process: LocalProcess | None = None
    launched: asyncio.Event = field(default_factory=asyncio.Event)
    check: str | None = None
    unhealthy_since_s: float | None = None
    retire: bool = False
    probe_port: int | None = None

    def observed(self) -> Replica:
        """Return what the plan needs to know."""
        return Replica(
            name=self.name,
            number=self.number,
            revision=self.revision,
            version=self.version,
            phase=self.phase,
            since_s=self.since_s,
            unhealthy_since_s=self.unhealthy_since_s,
            retire=self.retire,
        )

    def endpoint(self) -> Endpoint:
        """Return where the edge finds it."""
        return Endpoint(
            host=HOST, port=self.port, version=self.version, probe_port=self.probe_port or 0
        )

    def enter(self, phase: Phase, now_s: float) -> None:
        """Go to a later phase."""
        order = list(Phase)
        assert order.index(phase) > order.index(self.phase), "phases are never gone back to"
        self.phase, self.since_s = phase, now_s

    def served_s(self, now_s: float) -> float | None:
        """Return for how long it has been ready; None if it is not, or not any more."""
        return now_s - self.since_s if self.phase is Phase.READY else None

    async def until_ready(self, *, path: str, kind: str, timeout_s: float, wrapped: bool) -> str:
        """Wait until the replica can serve; return how the edge shall check it: http or tcp.

        Never gives up by itself: the plan ends a replica that takes too long. It is asked at the
        port to which requests will come: that this one is open, no other can tell.

        Args:
            path: Of the readiness check.
            kind: auto, http or tcp, as declared.
            timeout_s: Of one look.
            wrapped: Whether Mainstay serves the app, so that a port that is open and gives no
                answer means: not yet. Of any other program it is all that is asked.
        """
        while kind == "tcp":
            if await listens(HOST, self.port, timeout_s):
                return "tcp"
            await asyncio.sleep(PROBE_PAUSE_S)
        while True:
            outcome = (await probe(HOST, self.port, path, timeout_s)).outcome
            if outcome is Outcome.READY:
                return "http"
            silent = outcome is Outcome.HUNG and not wrapped
            if kind == "auto" and (outcome is Outcome.TCP_ONLY or silent):
                return "tcp"
            await asyncio.sleep(PROBE_PAUSE_S)

    async def find_probe_port(self, path: str, timeout_s: float) -> None:
        """Find out whether it answers at its port for probes; forget the port if it doesn't.

        Whoever answers at the app's own port has opened this one before, or never will: an app that
        is not wrapped has no answers to give there.

        Args:
            path: Of the endpoint that says it is alive: readiness is the edge's question.
            timeout_s: Of one look.
        """
        while self.probe_port is not None:
            found = await probe(HOST, self.probe_port, path, timeout_s)
            if found.outcome is Outcome.READY:
                return
            absent = found.outcome in {Outcome.REFUSED, Outcome.TCP_ONLY}
            if absent or found.status == _NOT_FOUND:
                self.probe_port = None
            else:
                await asyncio.sleep(PROBE_PAUSE_S)
