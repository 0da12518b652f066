"""The local engine: carries out the plan with real processes, and keeps the edge informed.

All decisions are in plan.py; processes live in replicas.py. Whenever a process, a wish or the
time changes something, the loop here plans again.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from mainstay.control.engines.local import happenings, launching, plan
from mainstay.control.engines.local.launching import Launchpad
from mainstay.control.engines.local.plan import Phase, Start, Stop, Wanted
from mainstay.control.engines.local.ports import Ports
from mainstay.control.engines.local.records import ReplicaRecord
from mainstay.control.engines.local.replica import RunningReplica
from mainstay.control.engines.local.replicas import Replicas
from mainstay.control.engines.local.routing import Router, Routing
from mainstay.control.engines.local.services import RunningService, Wishes
from mainstay.control.processes.ends import End
from mainstay.core.clock import Clock
from mainstay.core.errors import EngineRefused
from mainstay.core.events import Event
from mainstay.edge.topology import Topology
from mainstay.spec.declaration import RECREATE, System

EDGE_PATIENCE_S: Final = 10.0
"""A command that waits for a change says that the edge does not take it after this; the engine
goes on trying, and ends no replica that the edge may still send requests to."""

HUNG_DRAIN_S: Final = 1.0
"""A replica that hangs, or never got ready, has nothing to finish."""


class LocalEngine:
    """Runs the replicas of one system as processes of this machine.

    Args:
        router: Gets the topology; traffic follows it when it returns.
        clock: For every duration.
        ports: Hands out free ports.
        emit: Told of everything that happens.
        save: Called after every change of what must survive the daemon.
    """

    def __init__(
        self,
        *,
        router: Router,
        clock: Clock,
        ports: Ports,
        emit: Callable[[Event], None],
        save: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._emit = emit
        self._save = save
        self._launchpad: Launchpad | None = None
        self._services: dict[str, RunningService] = {}
        self._replicas = Replicas(clock=clock, ports=ports, emit=emit, owner=self)
        self._routing = Routing(router, self.topology, clock=clock, on_news=self._routed)
        self._kicked = asyncio.Event()
        self._news = asyncio.Condition()

    # What is wanted ---------------------------------------------------------------------------

    def apply(
        self, system: System, launchpad: Launchpad, wishes: Mapping[str, Wishes] | None = None
    ) -> None:
        """Want what ``system`` declares from now on; services that are gone from it are ended.

        Args:
            system: A valid system.
            launchpad: What its replicas are started with.
            wishes: Service -> what an earlier daemon was asked for; None keeps the restarts that
                were asked for and takes the declared numbers of replicas.
        """
        self._launchpad = launchpad
        before, self._services = self._services, {}
        for member in system.members:
            held = before.get(member.name)
            declared = Wishes(
                replicas=member.declaration.run.replicas,
                generation=held.wishes.generation if held else 0,
            )
            asked = (wishes or {}).get(member.name, declared)
            if held is None:
                held = RunningService(member=member, wishes=asked)
            elif held.member != member:
                held.failures, held.looping = (), False
            held.member, held.wishes = member, asked
            self._services[member.name] = held
        self.changed()

    def scale(self, service: str, replicas: int) -> None:
        """Want so many replicas of a service. Raises EngineRefused for an unknown one."""
        held = self._held(service)
        held.wishes = Wishes(replicas=replicas, generation=held.wishes.generation)
        self.changed()

    def restart(self, service: str) -> None:
        """Want every replica of a service replaced. Raises EngineRefused for an unknown one."""
        held = self._held(service)
        wishes = held.wishes
        held.wishes = Wishes(replicas=wishes.replicas, generation=wishes.generation + 1)
        held.failures, held.looping = (), False
        self.changed()

    def retire(self, replica: str) -> None:
        """Want one replica replaced gracefully: it serves until another one is ready."""
        held = self._replicas.named(replica)
        if held is not None and not held.retire:
            held.retire = True
            self._kicked.set()

    def mark(self, replica: str, *, healthy: bool) -> None:
        """Take the edge's word on whether a replica passes its checks."""
        held = self._replicas.named(replica)
        if held is None or held.phase is not Phase.READY:
            return
        if healthy:
            held.unhealthy_since_s = None
        elif held.unhealthy_since_s is None:
            held.unhealthy_since_s = self._clock.monotonic_s()
            self._kicked.set()

    def _held(self, service: str) -> RunningService:
        held = self._services.get(service)
        if held is None:
            known = ", ".join(self._services)
            raise EngineRefused(f"there is no service {service!r} here; there are {known}")
        return held

    # What is there ----------------------------------------------------------------------------

    @property
    def services(self) -> tuple[RunningService, ...]:
        """The services, in declared order. Read only."""
        return tuple(self._services.values())

    @property
    def replicas(self) -> tuple[RunningReplica, ...]:
        """The replicas, by service and number. Read only."""
        return self._replicas.every()

    def topology(self) -> Topology:
        """Return where traffic may go now."""
        return Topology(
            endpoints=tuple(
                (
                    name,
                    tuple(
                        one.endpoint()
                        for one in self._replicas.of(name)
                        if one.phase is Phase.READY
                    ),
                )
                for name in self._services
            ),
            checks=tuple((name, held.check) for name, held in self._services.items()),
        )

    @property
    def edge_trouble(self) -> str | None:
        """Why the edge takes no change at the moment; None if it does."""
        return self._routing.trouble(0.0)

    def settled(self, service: str) -> bool:
        """Return whether the service is as it is wanted, and the traffic follows."""
        held = self._services.get(service)
        there = [one.observed() for one in self._replicas.of(service)]
        if held is None:
            return not there
        wanted = self._wanted(held)
        counted = [one for one in there if not plan.kept(one, wanted)]
        return (
            self._routing.current
            and len(counted) == wanted.replicas
            and all(one.phase is Phase.READY for one in there)
            and all(one.revision == wanted.revision and not one.retire for one in counted)
        )

    async def settle(self, services: Iterable[str]) -> None:
        """Wait until each service is as it is wanted and the traffic follows.

        Raises:
            EngineRefused: A service is in a crash loop, and the sentence has its last log lines;
                or the edge does not take the change, and the sentence says why.
        """
        names = tuple(services)
        async with self._news:
            while not all(self.settled(name) for name in names):
                for name in names:
                    held = self._services.get(name)
                    if held is not None and held.looping:
                        raise EngineRefused(held.loop_sentence())
                trouble = self._routing.trouble(EDGE_PATIENCE_S)
                if trouble is not None:
                    raise EngineRefused(f"the edge does not take the change: {trouble}")
                await self._news.wait()

    def _revision(self, held: RunningService) -> str:
        assert self._launchpad is not None, "services come with a launchpad"
        return launching.revision_of(held.member, self._launchpad, held.wishes.generation)

    # The loop ---------------------------------------------------------------------------------

    def adopt(self, records: Iterable[ReplicaRecord]) -> None:
        """Take over the replicas of an earlier daemon. Call it after ``apply``, before ``run``."""
        members = {name: held.member for name, held in self._services.items()}
        self._replicas.adopt(records, members)

    async def run(self) -> None:
        """Keep the system as it is wanted until cancelled, which ends no replica."""
        routing = asyncio.create_task(self._routing.run())
        try:
            while True:
                self._kicked.clear()
                wake_s = self._reconcile()
                async with self._news:
                    self._news.notify_all()
                await self._until(wake_s)
        finally:
            routing.cancel()

    async def end(self) -> None:
        """End every replica and wait until all are gone. Nothing may route to them any more."""
        await self._replicas.finish(lambda one: self._drain_s(one, "down"))

    def kill(self) -> None:
        """End every replica at once, whatever it works on; ``end`` then returns soon."""
        self._replicas.kill()

    def drain_max_s(self) -> float:
        """Return the longest that any service may take to finish what it works on."""
        bounds = [held.member.declaration.inbound.drain_s for held in self.services]
        return max(bounds, default=0.0)

    def memory_max_bytes(self, service: str) -> int | None:
        """Return the declared memory bound of a service's replicas, or None."""
        held = self._services.get(service)
        return held.member.declaration.run.memory_max_bytes if held else None

    async def _until(self, wake_s: float | None) -> None:
        pause_s = None if wake_s is None else max(0.0, wake_s - self._clock.monotonic_s())
        try:
            async with asyncio.timeout(pause_s):
                await self._kicked.wait()
        except TimeoutError:
            return

    def _reconcile(self) -> float | None:
        """Plan and begin; return the monotonic time of the next look, or None."""
        now_s = self._clock.monotonic_s()
        wakes: list[float | None] = []
        for name, held in self._services.items():
            there = [one.observed() for one in self._replicas.of(name)]
            wanted = self._wanted(held)
            wakes.append(self._forgive(held, there, wanted, now_s))
            todo = plan.plan(there, wanted, held.failures, now_s)
            wakes.append(todo.wake_s)
            for action in todo.actions:
                match action:
                    case Start(number=number):
                        self._start(held, number, wanted.revision)
                    case Stop(name=replica, reason=reason):
                        self._stop(replica, reason)
        for one in self._replicas.every():
            if one.service not in self._services and one.phase is not Phase.LEAVING:
                self._stop(one.name, "removed")
        return min((wake for wake in wakes if wake is not None), default=None)

    def _wanted(self, held: RunningService) -> Wanted:
        run, rollout = held.member.declaration.run, held.member.declaration.rollout
        return Wanted(
            service=held.member.name,
            revision=self._revision(held),
            replicas=held.wishes.replicas,
            start_timeout_s=run.start_timeout_s,
            hang_timeout_s=run.hang_timeout_s,
            restart=run.restart,
            kept_versions=held.kept_versions(),
            recreate=rollout is not None and rollout.strategy == RECREATE,
        )

    def _forgive(
        self, held: RunningService, there: Sequence[plan.Replica], wanted: Wanted, now_s: float
    ) -> float | None:
        """Forget failures once a wanted replica is stable; else return when to look again."""
        stable_s = plan.stable_from_s(there, wanted)
        if not held.failures or stable_s is None:
            return None
        if now_s < stable_s:
            return stable_s
        held.failures, held.looping = (), False
        return None

    def _start(self, held: RunningService, number: int, revision: str) -> None:
        assert self._launchpad is not None, "services come with a launchpad"
        self._replicas.start(
            held.member,
            self._launchpad,
            number=number,
            revision=revision,
            wanted=held.wishes.replicas,
        )

    def _stop(self, name: str, reason: str) -> None:
        replica = self._replicas.named(name)
        assert replica is not None, "the plan names replicas that it was shown"
        served = replica.phase is Phase.READY
        self._emit(
            happenings.ReplicaStopping(
                at_s=self._clock.wall_s(),
                service=replica.service,
                replica=replica.name,
                reason=reason,
            )
        )
        if reason == "start_timeout":
            self.exited(replica, None)

        async def out_of_the_traffic() -> None:
            # For as long as it takes: a replica that the edge still sends requests to goes on.
            if served:
                await self._routing.taken(self._routing.changed())

        drain_s = self._drain_s(replica, reason)
        self._replicas.stop(replica, drain_s=drain_s, first=out_of_the_traffic)

    def _drain_s(self, replica: RunningReplica, reason: str) -> float:
        held = self._services.get(replica.service)
        if held is None or reason in {"unhealthy", "start_timeout"}:
            return HUNG_DRAIN_S
        inbound = held.member.declaration.inbound
        return inbound.drain_s + inbound.drain_delay_s

    # What the replicas tell -------------------------------------------------------------------

    def became_ready(self, replica: RunningReplica) -> None:
        """Let traffic come to a replica that is ready."""
        held = self._services.get(replica.service)
        if held is not None and replica.check is not None:
            held.check = replica.check
        self.changed()

    def exited(self, replica: RunningReplica, served_s: float | None) -> None:
        """Take a replica that died out of the traffic, and count it if its start failed."""
        held = self._services.get(replica.service)
        if held is not None and replica.revision == self._revision(held):
            held.failures = plan.after_end(
                held.failures, served_s=served_s, now_s=self._clock.monotonic_s()
            )
        self.changed()

    def ended(self, replica: RunningReplica, end: End, *, asked: bool) -> None:
        """Note how a replica ended; say so if its service is in a crash loop by now."""
        held = self._services.get(replica.service)
        if held is not None and (not asked or held.failures):
            held.deaths += not asked
            held.last_end = end
            self._judge(held)
        self.changed()

    def changed(self) -> None:
        """Save, route and plan anew."""
        self._save()
        self._routing.changed()
        self._kicked.set()

    def _judge(self, held: RunningService) -> None:
        restart = held.member.declaration.run.restart
        now_s = self._clock.monotonic_s()
        if held.looping or not plan.in_crash_loop(restart, held.failures, now_s):
            return
        held.looping = True
        self._emit(
            happenings.CrashLooping(
                at_s=self._clock.wall_s(),
                service=held.member.name,
                reason=held.loop_sentence(),
            )
        )

    def _routed(self, error: Exception | None) -> None:
        """Hear of a push, so that whoever waits for it looks again."""
        if error is not None:
            self._emit(happenings.RoutingTrouble(at_s=self._clock.wall_s(), reason=str(error)))
        self._kicked.set()
