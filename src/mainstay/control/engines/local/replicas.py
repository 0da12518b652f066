"""The replicas of a system as processes: starts them, watches them, ends them, adopts them.

It decides nothing: the engine says what to start and what to stop, and hears what happened.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, Final, Protocol

from mainstay.control.engines.local import happenings
from mainstay.control.engines.local.launching import Launchpad, replica_spec
from mainstay.control.engines.local.plan import Phase
from mainstay.control.engines.local.ports import Ports
from mainstay.control.engines.local.records import ReplicaRecord
from mainstay.control.engines.local.replica import RunningReplica
from mainstay.control.processes.ends import End
from mainstay.control.processes.process import ShimSpec, SpawnFailed, adopt, launch
from mainstay.core.clock import Clock
from mainstay.core.events import Event
from mainstay.spec.declaration import Declaration, Member

KILL_MARGIN_S: Final = 2.0
"""Beyond the declared drain bound before a replica is killed: its own bound comes first."""


class Owner(Protocol):
    """Who decides about the replicas, and so hears what becomes of them."""

    def became_ready(self, replica: RunningReplica) -> None:
        """It serves from now on."""

    def exited(self, replica: RunningReplica, served_s: float | None) -> None:
        """It died by itself a moment ago, having served for so long (None: never)."""

    def ended(self, replica: RunningReplica, end: End, *, asked: bool) -> None:
        """Everything of it is gone."""

    def changed(self) -> None:
        """What must survive the daemon changed."""


class Replicas:
    """Every replica of a system that is a process, is about to be one, or just was.

    Args:
        clock: For every duration.
        ports: Hands out free ports.
        emit: Told of everything that happens.
        owner: Hears what needs a decision.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        ports: Ports,
        emit: Callable[[Event], None],
        owner: Owner,
    ) -> None:
        self._clock = clock
        self._ports = ports
        self._emit = emit
        self._owner = owner
        self._all: dict[str, RunningReplica] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def every(self) -> tuple[RunningReplica, ...]:
        """Return them all, by service and number."""
        return tuple(sorted(self._all.values(), key=lambda one: (one.service, one.number)))

    def of(self, service: str) -> tuple[RunningReplica, ...]:
        """Return those of one service, by number."""
        return tuple(one for one in self.every() if one.service == service)

    def named(self, name: str) -> RunningReplica | None:
        """Return the one of that name, if there is one."""
        return self._all.get(name)

    def start(
        self, member: Member, launchpad: Launchpad, *, number: int, revision: str, wanted: int
    ) -> None:
        """Begin to start a replica; the owner hears when it is ready, or has ended.

        Args:
            member: Its service.
            launchpad: What it is started with.
            number: Its own.
            revision: What it is started from.
            wanted: Replicas of its service, this one included.
        """
        now_s = self._clock.monotonic_s()
        is_ours = member.declaration.app is not None
        replica = RunningReplica(
            name=f"{member.name}-{number}",
            service=member.name,
            number=number,
            port=self._ports.free(),
            probe_port=self._ports.free() if is_ours else None,
            version=member.declaration.version,
            revision=revision,
            started_s=now_s,
            since_s=now_s,
        )
        self._all[replica.name] = replica
        spec = replica_spec(
            member,
            replica.name,
            replica.port,
            launchpad,
            probe_port=replica.probe_port,
            replicas=wanted,
        )
        self._spawn(self._live(member, replica, spec))

    def stop(
        self, replica: RunningReplica, *, drain_s: float, first: Callable[[], Awaitable[None]]
    ) -> None:
        """Begin to end a replica.

        Args:
            replica: Not leaving yet.
            drain_s: How long it may take to finish what it works on.
            first: Awaited before its process hears of it: the way out of the traffic.
        """
        replica.enter(Phase.LEAVING, self._clock.monotonic_s())
        self._spawn(self._stop(replica, drain_s, first))

    def adopt(self, records: Iterable[ReplicaRecord], members: dict[str, Member]) -> None:
        """Take over the replicas of an earlier daemon that still run."""
        for record in records:
            process = adopt(record.identity)
            if process is None:
                continue
            now_s = self._clock.monotonic_s()
            replica = RunningReplica(
                name=record.identity.name,
                service=record.service,
                number=record.number,
                port=record.port,
                version=record.version,
                revision=record.revision,
                started_s=now_s,
                since_s=now_s,
                process=process,
                check=record.check,
                probe_port=record.probe_port,
            )
            replica.launched.set()
            self._all[replica.name] = replica
            self._tell(happenings.ReplicaAdopted, replica, pid=process.pid)
            self._spawn(self._watch(replica))
            member = members.get(record.service)
            if record.check is not None:
                replica.enter(Phase.READY, now_s)
                self._owner.became_ready(replica)
            elif member is not None:
                self._spawn(self._await_ready(member, replica))

    async def finish(self, drain_s: Callable[[RunningReplica], float]) -> None:
        """End all that are left and wait until every process is gone."""

        async def at_once() -> None:
            return

        for replica in self.every():
            if replica.phase is not Phase.LEAVING:
                self.stop(replica, drain_s=drain_s(replica), first=at_once)
        while self._all:
            await asyncio.wait(tuple(self._tasks))

    def kill(self) -> None:
        """Send SIGKILL to every process."""
        for replica in self.every():
            if replica.process is not None:
                replica.process.signal(signal.SIGKILL)

    # The life of one --------------------------------------------------------------------------

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            # A defect of ours, not of a replica: the loop's handler shows it with its traceback.
            task.get_loop().call_exception_handler(
                {"message": "a replica's task failed", "exception": task.exception()}
            )

    async def _live(self, member: Member, replica: RunningReplica, spec: ShimSpec) -> None:
        try:
            replica.process = await launch(spec)
        except SpawnFailed as error:
            self._spawn_failed(replica, str(error))
            return
        finally:
            replica.launched.set()
        self._owner.changed()
        self._tell(happenings.ReplicaStarted, replica, pid=replica.process.pid, port=replica.port)
        self._spawn(self._watch(replica))
        await self._await_ready(member, replica)

    def _spawn_failed(self, replica: RunningReplica, sentence: str) -> None:
        asked = replica.phase is Phase.LEAVING
        end = End(reason="spawn_failed", detail=sentence, ended_at_s=self._clock.wall_s())
        del self._all[replica.name]
        if not asked:
            self._owner.exited(replica, None)
        self._ended(replica, end, asked=asked)

    async def _await_ready(self, member: Member, replica: RunningReplica) -> None:
        assert replica.process is not None
        ready = asyncio.ensure_future(_check_of(member.declaration, replica))
        gone = asyncio.ensure_future(replica.process.exited())
        try:
            await asyncio.wait((ready, gone), return_when=asyncio.FIRST_COMPLETED)
            if gone.done() or replica.phase is not Phase.STARTING:
                return
            replica.check = ready.result()
        finally:
            ready.cancel()
            gone.cancel()
        now_s = self._clock.monotonic_s()
        replica.enter(Phase.READY, now_s)
        self._tell(happenings.ReplicaReady, replica, after_s=now_s - replica.started_s)
        self._owner.became_ready(replica)

    async def _watch(self, replica: RunningReplica) -> None:
        """Wait for the end of a process; say so at once if nobody has asked for it."""
        assert replica.process is not None
        await replica.process.exited()
        asked = replica.phase is Phase.LEAVING
        if not asked:
            now_s = self._clock.monotonic_s()
            served_s = replica.served_s(now_s)
            replica.enter(Phase.LEAVING, now_s)
            self._owner.exited(replica, served_s)
        end = await replica.process.wait()
        del self._all[replica.name]
        self._ended(replica, end, asked=asked)

    async def _stop(
        self, replica: RunningReplica, drain_s: float, first: Callable[[], Awaitable[None]]
    ) -> None:
        await first()
        await replica.launched.wait()
        if replica.process is not None:
            # `_watch` sees the end and reports it.
            await replica.process.stop(drain_s + KILL_MARGIN_S)

    def _ended(self, replica: RunningReplica, end: End, *, asked: bool) -> None:
        self._tell(happenings.ReplicaEnded, replica, reason=end.sentence, asked=asked)
        self._owner.ended(replica, end, asked=asked)

    def _tell(
        self, kind: type[happenings.ReplicaEvent], replica: RunningReplica, **fields: Any
    ) -> None:
        """Emit an event about one replica. Any: each kind has fields of its own."""
        self._emit(
            kind(
                at_s=self._clock.wall_s(),
                service=replica.service,
                replica=replica.name,
                **fields,
            )
        )


async def _check_of(declaration: Declaration, replica: RunningReplica) -> str:
    """Wait until a replica is ready; return how the edge shall check it, http or tcp."""
    edge, health = declaration.edge, declaration.inbound.health
    check = await replica.until_ready(
        path=edge.health.path,
        kind=edge.check_kind,
        timeout_s=edge.health.timeout_s,
        wrapped=declaration.app is not None,
    )
    alive = f"{health.path.rstrip('/')}/live"
    await replica.find_probe_port(alive, edge.health.timeout_s)
    return check
