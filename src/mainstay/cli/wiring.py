"""The one place that joins the rooms: a daemon from a declaration, an engine and a proxy."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import psutil

from mainstay.cli.place import control_socket, state_of
from mainstay.control.api.server import ControlServer
from mainstay.control.api.wire import Json
from mainstay.control.daemon import Daemon
from mainstay.control.engines.local import folder, ports, records
from mainstay.control.engines.local.counts import ReplicaCounts
from mainstay.control.engines.local.engine import LocalEngine
from mainstay.control.engines.local.happenings import RecordTrouble, SystemReady
from mainstay.control.engines.local.internal_ports import InternalPorts
from mainstay.control.engines.local.keeping import record_of, wishes_of
from mainstay.control.engines.local.launching import HOST, Launchpad
from mainstay.control.engines.local.proxy import ProxyLauncher, ProxyProcess
from mainstay.control.monitor import Monitor
from mainstay.control.overview import public_url, service_statuses
from mainstay.control.processes.ends import running
from mainstay.control.processes.identity import alive
from mainstay.control.processes.process import adopt, sweep
from mainstay.control.processes.wire import to_wire
from mainstay.control.status import ProcessStatus, SystemStatus
from mainstay.control.traces.local import LocalTraces
from mainstay.control.traces.ring import FOLDER as TRACES
from mainstay.core.clock import SystemClock
from mainstay.core.errors import EdgeRefused, EngineRefused
from mainstay.core.events import Listener, Listeners
from mainstay.edge.envoy.envoy import compile_edge
from mainstay.edge.envoy.resources import Resources
from mainstay.edge.running.runtime import EdgeRuntime
from mainstay.edge.topology import Topology
from mainstay.spec.declaration import System
from mainstay.spec.load import load_system

LOOK_S: Final = 1.0
"""Between two looks at whether the state folder is still there."""

EDGE_TRIES_MAX: Final = 3
"""To begin with the proxy, where others take its ports in the moment before it listens."""


class Site:
    """A system on this machine with everything that runs it. One run, one instance.

    Args:
        root: Folder of the declaration.
        env: Name of the overlay, or None.
        environ: The environment of the daemon.
        on_event: Hears every event.

    Raises:
        ConfigInvalid: The declaration has faults.
    """

    def __init__(
        self, root: Path, *, env: str | None, environ: Mapping[str, str], on_event: Listener
    ) -> None:
        self._root = root
        self._env = env
        self._environ = environ
        self._state = state_of(root)
        self._clock = SystemClock()
        self._ports = ports.Ports(self._clock)
        self._listeners = Listeners()
        self._listeners.add(on_event)
        self._counts = ReplicaCounts(self._state / "run")
        self._internal = InternalPorts(self._ports)
        # One change of the declaration at a time; the beginning is one.
        self._changing = asyncio.Lock()
        self._system = self._load(env, environ)
        self._launcher = ProxyLauncher(self._state, self._save)
        self._edge = EdgeRuntime(
            self._state / "edge",
            launcher=self._launcher,
            clock=self._clock,
            on_event=self._listeners.emit,
        )
        self._engine = LocalEngine(
            router=self,
            clock=self._clock,
            ports=self._ports,
            emit=self._listeners.emit,
            save=self._save,
        )
        self._monitor = Monitor(self._engine, self._edge.stats, self._clock)
        self._traces = LocalTraces(
            self._state / TRACES,
            free_port=self._ports.free,
            clock=self._clock,
            emit=self._listeners.emit,
        )

    async def run(self) -> None:
        """Run the system until a signal or ``down`` ends it.

        Raises:
            AlreadyRunning: Another daemon holds the system.
            EngineRefused: A port is taken, or the state folder can't be used.
            EdgeRefused: The proxy can't be configured.
            PartMissing: The proxy is not installed.
        """
        folder.prepare(self._state)
        with folder.SystemLock(self._state / "lock") as lock:
            found = await self._survivors()
            given = self._claim_ports(has_proxy=found.edge is not None)
            await self._serve(found, given, lock)
            (self._state / "state.json").unlink(missing_ok=True)

    async def route(self, topology: Topology) -> None:
        """Make traffic follow ``topology``; this is the engine's router."""
        await self._edge.push(self._resources(self._system, topology))

    async def drain(self, grace_s: float) -> None:
        """End the proxy gracefully."""
        await self._edge.drain(grace_s)

    async def kill(self) -> None:
        """End the proxy at once, whatever it works on."""
        await self._edge.leave()
        if self._launcher.present is not None:
            self._launcher.present.signal(signal.SIGKILL)
            await self._launcher.present.wait()

    # Beginning --------------------------------------------------------------------------------

    def _load(self, env: str | None, environ: Mapping[str, str]) -> System:
        return load_system(self._root, env=env, environ=environ).system

    async def _survivors(self) -> records.Survivors:
        """Return what an earlier daemon left running, and sweep what it left half-dead."""
        loaded = records.load(self._state / "state.json")
        if loaded.trouble is not None:
            self._listeners.emit(RecordTrouble(at_s=self._clock.wall_s(), reason=loaded.trouble))
        record = loaded.record or records.Record(boot_id=records.boot_id(), system="")
        found = records.survivors(record, boot_id=records.boot_id(), alive=alive)
        self._internal.recall(record.internal_ports)
        self._wishes = wishes_of(record)
        if found.rebooted:
            return found
        known = {found.edge, *(one.identity for one in found.replicas)}
        lost = running(self._state / "ends", logs=self._state / "logs")
        for identity in {*found.rest, *lost} - known:
            # Started by a daemon that died before it could write that down, or half-dead.
            await sweep(identity)
        return found

    def _claim_ports(self, *, has_proxy: bool) -> frozenset[str]:
        """Give every service that others call its internal port; refuse public ones in use.

        Args:
            has_proxy: Whether the ports are held by a proxy that an earlier daemon left.

        Returns:
            The services that had no port.
        """
        self._internal.keep(self._system)
        if not has_proxy:
            self._internal.take_back(self._internal.held_by_others())
            refuse_taken_ports(self._system, known=frozenset())
        return self._internal.give(self._system)

    async def _serve(
        self, found: records.Survivors, given: frozenset[str], lock: folder.SystemLock
    ) -> None:
        daemon = Daemon(
            engine=self._engine,
            proxy=self,
            monitor=self._monitor,
            renew=self._renew,
            describe=self._describe,
            listeners=self._listeners,
        )
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, daemon.leave)
        server = ControlServer(control_socket(self._state), daemon.handlers)
        await self._traces.start()
        # First of all, since whatever comes next is written down with it.
        self._launcher.present = adopt(found.edge) if found.edge is not None else None
        self._engine.apply(self._system, self._launchpad(), self._wishes)
        self._engine.adopt(found.replicas)
        try:
            async with self._changing:
                await server.start()
                await self._begin_edge(given)
            beside = [
                asyncio.create_task(self._announce()),
                asyncio.create_task(self._leave_when_lost(daemon, lock)),
            ]
            await daemon.run()
        finally:
            await server.stop()
            await self._traces.stop()
        for task in beside:
            task.cancel()

    async def _begin_edge(self, given: frozenset[str]) -> None:
        """Start the proxy, or go on with the one that runs.

        Args:
            given: Services whose internal port the one that runs does not have yet.
        """
        process = self._launcher.present
        for others in reversed(range(EDGE_TRIES_MAX)):
            resources = self._resources(self._system, self._engine.topology())
            try:
                if process is None:
                    await self._edge.start(resources)
                elif self._edge.process is None:
                    await self._edge.adopt(ProxyProcess(process), resources)
                else:
                    await self._edge.push(resources)
            except EdgeRefused:
                if not others or not self._move(given, has_proxy=process is not None):
                    raise
            else:
                return

    def _move(self, given: frozenset[str], *, has_proxy: bool) -> bool:
        """Leave internal ports that somebody took since one looked at them; False: there is none.

        Of a proxy that runs, those that it does not have yet: which of them it is, it doesn't say.
        """
        before = self._internal.known
        if has_proxy:
            self._internal.take_back(given)
        self._claim_ports(has_proxy=has_proxy)
        if self._internal.known == before:
            return False
        wishes = {held.member.name: held.wishes for held in self._engine.services}
        self._engine.apply(self._system, self._launchpad(), wishes)
        return True

    async def _leave_when_lost(self, daemon: Daemon, lock: folder.SystemLock) -> None:
        """End the system when its state folder was deleted: nobody could find it any more."""
        while not lock.lost():  # noqa: ASYNC110  Nobody tells when a file is deleted.
            await asyncio.sleep(LOOK_S)
        reason = f"{self._state} was deleted while the system ran; it is being ended"
        self._listeners.emit(RecordTrouble(at_s=self._clock.wall_s(), reason=reason))
        daemon.leave()

    async def _announce(self) -> None:
        """Say once that everything is ready; a crash loop has its own event."""
        began_s = self._clock.monotonic_s()
        with contextlib.suppress(EngineRefused):
            await self._engine.settle([member.name for member in self._system.members])
            self._listeners.emit(
                SystemReady(
                    at_s=self._clock.wall_s(),
                    after_s=self._clock.monotonic_s() - began_s,
                    addresses=tuple(
                        (held.member.name, url)
                        for held in self._engine.services
                        if (url := public_url(held.member.declaration.edge)) is not None
                    ),
                )
            )

    # Going on ---------------------------------------------------------------------------------

    async def _renew(self, env: str | None, environ: Mapping[str, str] | None) -> None:
        """Follow the declarations as they are now; see ``Daemon.renew``."""
        async with self._changing:
            environ = self._environ if environ is None else environ
            system = self._load(env, environ)
            refuse_taken_ports(system, known=public_ports(self._system))
            given = self._internal.give(system)
            try:
                await self._edge.push(self._resources(system, self._engine.topology()))
            except BaseException:
                # The last declaration holds on; and one of these ports may be why.
                self._internal.take_back(given)
                raise
            # Who comes back later may find the port that was its own taken.
            self._internal.keep(system)
            self._system, self._env, self._environ = system, env, environ
            self._engine.apply(system, self._launchpad())

    def _launchpad(self) -> Launchpad:
        known = self._internal.known
        urls = {
            member.name: f"{member.declaration.edge.protocol}://{HOST}:{port}"
            for member in self._system.members
            if (port := known.get(member.name)) is not None
        }
        return Launchpad(
            state=self._state,
            environ=self._environ,
            env_name=self._env,
            urls=urls,
            door=self._traces.door,
        )

    def _resources(self, system: System, topology: Topology) -> Resources:
        declared = {member.name for member in system.members}
        internal = tuple(
            sorted((name, port) for name, port in self._internal.known.items() if name in declared)
        )
        return compile_edge(system, replace(topology, internal_ports=internal))

    def _save(self) -> None:
        edge = self._launcher.present
        record = record_of(
            self._engine,
            system=self._system.name,
            boot_id=records.boot_id(),
            edge=edge.identity if edge is not None else None,
            internal_ports=self._internal.known,
        )
        try:
            records.save(self._state / "state.json", record)
            self._counts.tell(
                {held.member.name: held.wishes.replicas for held in self._engine.services}
            )
        except records.StateNotSaved as error:
            # A full disk must not stop what serves; the record before is still there.
            self._listeners.emit(RecordTrouble(at_s=self._clock.wall_s(), reason=str(error)))

    def _describe(self) -> Json:
        proxy = self._launcher.present
        me = psutil.Process()
        status = SystemStatus(
            system=self._system.name,
            env=self._env,
            daemon=ProcessStatus(
                pid=os.getpid(),
                memory_bytes=me.memory_info().rss,
                cpu_s=sum(me.cpu_times()[:2]),
            ),
            proxy=ProcessStatus(
                pid=proxy.pid,
                memory_bytes=proxy.resident_bytes(),
                cpu_s=proxy.cpu_s(),
                restarts=max(0, self._launcher.launches - 1),
            )
            if proxy is not None
            else None,
            edge_trouble=self._engine.edge_trouble or self._monitor.silence,
            services=service_statuses(
                self._engine, self._monitor, self._clock, self._internal.known
            ),
        )
        return {**to_wire(status), "settled": status.settled}


def public_ports(system: System) -> frozenset[int]:
    """Return the port of every public listener of a system."""
    ports_ = (member.declaration.edge.port for member in system.members)
    return frozenset(port for port in ports_ if port is not None)


def refuse_taken_ports(system: System, *, known: frozenset[int]) -> None:
    """Raise EngineRefused naming every public port that is in use.

    Ports in ``known`` are held by the system's own proxy, whatever their address was.
    """
    troubles = []
    for member in system.members:
        edge = member.declaration.edge
        if edge.port is None or edge.port in known:
            continue
        trouble = ports.trouble(edge.host, edge.port)
        if trouble is not None:
            troubles.append(f"{member.name}: {trouble}; free it or change edge.port")
    if troubles:
        raise EngineRefused("\n".join(troubles))
