"""Puts together what `mainstay status` shows."""

from collections.abc import Iterable, Mapping

from mainstay.control.engines.local.engine import LocalEngine
from mainstay.control.engines.local.plan import Phase
from mainstay.control.engines.local.replica import RunningReplica
from mainstay.control.engines.local.services import RunningService
from mainstay.control.monitor import Monitor
from mainstay.control.status import ReplicaStatus, ServiceStatus
from mainstay.core.clock import Clock
from mainstay.spec.edge import Edge

ANY_ADDRESS = frozenset({"0.0.0.0", "::"})  # noqa: S104  Compared with, not bound to.


def service_statuses(
    engine: LocalEngine, monitor: Monitor, clock: Clock, internal_ports: Mapping[str, int]
) -> tuple[ServiceStatus, ...]:
    """Return the status of every service, in declared order."""
    return tuple(
        _service(held, engine, monitor, clock, internal_ports.get(held.member.name))
        for held in engine.services
    )


def _service(
    held: RunningService,
    engine: LocalEngine,
    monitor: Monitor,
    clock: Clock,
    internal_port: int | None,
) -> ServiceStatus:
    declaration = held.member.declaration
    there = [one for one in engine.replicas if one.service == held.member.name]
    replicas = tuple(_replica(one, monitor, clock.monotonic_s()) for one in there)
    return ServiceStatus(
        name=held.member.name,
        state=_state(held, engine, replicas),
        version=declaration.version,
        url=public_url(declaration.edge),
        internal_url=_url(declaration.edge.protocol, "127.0.0.1", internal_port),
        wanted=held.wishes.replicas,
        ready=sum(one.phase is Phase.READY for one in there),
        restarts=held.deaths,
        weights=declaration.edge.weights,
        last_end=held.last_end.sentence if held.last_end else None,
        traffic=monitor.traffic_of(held.member.name),
        replicas=replicas,
    )


def _state(held: RunningService, engine: LocalEngine, replicas: Iterable[ReplicaStatus]) -> str:
    if held.looping:
        return "crash_loop"
    if not engine.settled(held.member.name):
        return "changing"
    return "ok" if all(one.state == "ready" for one in replicas) else "unhealthy"


def public_url(edge: Edge) -> str | None:
    """Return where clients reach a service, or None where only other services do."""
    return _url(edge.protocol, edge.host, edge.port)


def _url(scheme: str, host: str, port: int | None) -> str | None:
    if port is None:
        return None
    # A listener on every address is reached by any of them; this one exists.
    shown = "127.0.0.1" if host in ANY_ADDRESS else host
    return f"{scheme}://[{shown}]:{port}" if ":" in shown else f"{scheme}://{shown}:{port}"


def _replica(replica: RunningReplica, monitor: Monitor, now_s: float) -> ReplicaStatus:
    seen = monitor.seen_of(replica)
    state = replica.phase.value
    if replica.phase is Phase.READY and seen is not None:
        if seen.ejected:
            state = "ejected"
        elif not seen.passing:
            state = "unhealthy"
    process = replica.process
    return ReplicaStatus(
        name=replica.name,
        state=state,
        pid=process.pid if process else None,
        port=replica.port,
        probe_port=replica.probe_port,
        version=replica.version,
        age_s=now_s - replica.started_s,
        memory_bytes=process.resident_bytes() if process else None,
        requests=seen.requests if seen else 0,
    )
