"""The real Envoy takes whatever the compiler makes of a valid declaration."""

import asyncio
import resource
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck as Hypothesis
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.edge.systems import endpoints, many, system, worlds
from tests.ports import free_port
from tests.system.edge.world import World

from mainstay.core.clock import SystemClock
from mainstay.edge.envoy.envoy import compile_edge
from mainstay.edge.envoy.resources import Kind
from mainstay.edge.running.admin import Admin
from mainstay.edge.running.binary import validate
from mainstay.edge.running.runtime import EdgeRuntime
from mainstay.edge.running.uptake import STATS_TARGET, Uptake, read_uptake
from mainstay.edge.topology import Topology
from mainstay.spec.declaration import Declaration
from mainstay.spec.edge import (
    BALANCE_POLICIES,
    RETRY_CONDITIONS,
    Balance,
    Edge,
    EdgeLimits,
    EdgeRetry,
    Ejection,
    HealthCheck,
)

pytestmark = pytest.mark.system


@pytest.mark.parametrize("name", worlds())
async def test_it_validates(name: str, tmp_path: Path) -> None:
    await validate(tmp_path, compile_edge(*worlds()[name]))
    assert list(tmp_path.iterdir()) == [], "nothing is left behind"


async def test_120_services_validate(tmp_path: Path) -> None:
    await validate(tmp_path, compile_edge(*many(120)))


PORTS = st.integers(1, 65535)
LIMITS = st.builds(
    EdgeLimits,
    connections=st.integers(1, 1_000_000),
    header_bytes_max=st.integers(1024, 96 * 1024),
    headers_max=st.integers(1, 1000),
    body_bytes_max=st.none() | st.integers(1, 2**31),
    header_timeout_s=st.floats(0.001, 600),
    idle_timeout_s=st.floats(0.001, 3600),
    stream_idle_timeout_s=st.floats(0.001, 3600),
    pending=st.integers(1, 1_000_000),
    requests=st.integers(1, 1_000_000),
)
EDGES = st.builds(
    Edge,
    port=st.none() | PORTS,
    host=st.sampled_from(["127.0.0.1", "::1", "0.0.0.0", "::"]),  # noqa: S104  Only validated.
    balance=st.builds(
        Balance,
        policy=st.sampled_from(BALANCE_POLICIES),
        hash_header=st.none() | st.from_regex(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}", fullmatch=True),
    ),
    health=st.builds(
        HealthCheck,
        kind=st.sampled_from(["auto", "http", "tcp"]),
        path=st.from_regex(r"/[!-~]{0,255}", fullmatch=True),
        interval_s=st.floats(0.05, 600),
        timeout_s=st.floats(0.001, 60),
        fall=st.integers(1, 100),
        rise=st.integers(1, 100),
    ),
    eject=st.none()
    | st.builds(
        Ejection,
        failures=st.integers(1, 1000),
        time_s=st.floats(0.001, 3600),
        share_max=st.floats(0.001, 1.0),
    ),
    retry=st.none()
    | st.builds(
        EdgeRetry,
        on=st.lists(st.sampled_from(RETRY_CONDITIONS), unique=True).map(tuple),
        attempts=st.integers(1, 10),
        budget=st.floats(0.0, 1.0),
    ),
    timeout_s=st.none() | st.floats(0.001, 86400),
    limits=LIMITS,
    access_log=st.booleans(),
)
VERSIONS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,62}", fullmatch=True)
SERVICES = st.from_regex(r"[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?", fullmatch=True)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[Hypothesis.function_scoped_fixture]
)
@given(
    edges=st.dictionaries(SERVICES, EDGES, min_size=1, max_size=12),
    versions=st.lists(VERSIONS, min_size=1, max_size=3, unique=True),
    checks=st.sampled_from(["http", "tcp"]),
)
def test_whatever_may_be_declared_validates(
    tmp_path: Path, edges: dict[str, Edge], versions: list[str], checks: str
) -> None:
    declarations = [Declaration(service=name, app="a:b", edge=edge) for name, edge in edges.items()]
    replicas = tuple(
        one
        for n, version in enumerate(versions)
        for one in endpoints(9000 + 10 * n, n + 1, version)
    )
    topology = Topology(
        endpoints=tuple((name, replicas) for name in list(edges)[::2]),
        internal_ports=tuple((name, 10_000 + n) for n, name in enumerate(edges)),
        checks=tuple((name, checks) for name in edges),
    )
    # A loop of its own, since Hypothesis calls this without one.
    asyncio.run(validate(tmp_path, compile_edge(system(*declarations), topology)))


async def test_live_pushes_of_all_kinds_are_taken_and_none_is_rejected(world: World) -> None:
    backends = [await world.backend() for _ in range(3)]
    await world.edge.start(world.resources(backends))
    for policy in BALANCE_POLICIES:
        world.declare(Edge(balance=Balance(policy=policy)))
        await world.edge.push(world.resources(backends))
        await world.names(2)
    world.declare(Edge(eject=None, retry=None, limits=EdgeLimits(body_bytes_max=10)))
    await world.edge.push(world.resources(backends, version=lambda one: one.name))
    await world.names(2)
    uptake = await _uptake(world)
    assert not any(uptake.rejected.values())
    assert set(uptake.versions) == set(Kind)


async def _uptake(world: World) -> Uptake:
    answer = await Admin(socket=world.folder / "admin.sock").get(STATS_TARGET)
    return read_uptake(answer.body)


async def test_120_services_run_on_three_watches(world: World) -> None:
    """Each file that Envoy watches for itself takes an inotify instance; a user has 128."""
    system_, topology = many(120)
    free = iter({free_port() for _ in range(400)})
    members = tuple(
        replace(
            member,
            declaration=replace(
                member.declaration, edge=replace(member.declaration.edge, port=next(free))
            ),
        )
        for member in system_.members
    )
    internal = tuple((name, next(free)) for name, _ in topology.internal_ports)
    resources = compile_edge(
        replace(system_, members=members), replace(topology, internal_ports=internal)
    )
    await world.edge.start(resources)
    fds = Path(f"/proc/{world.spawner.spawned[0].pid}/fd")
    if fds.exists():
        links = [str(link.readlink()) for link in fds.iterdir()]
        assert sum("inotify" in link for link in links) <= 4
    half = replace(resources, clusters=resources.clusters[:60])
    await world.edge.push(half)
    await world.edge.push(resources)


async def test_envoy_may_open_as_many_files_as_the_system_allows(tmp_path: Path) -> None:
    """A soft bound of 1024, as many shells set it, would be used up by 500 clients."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    world = World(folder=tmp_path / "edge", log=tmp_path / "edge.log")
    world.edge = EdgeRuntime(world.folder, launcher=world.spawner, clock=SystemClock())
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(512, hard), hard))
        await world.edge.start(world.resources([]))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    limits = Path(f"/proc/{world.spawner.spawned[0].pid}/limits")
    if limits.exists():
        line = next(one for one in limits.read_text().splitlines() if one.startswith("Max open"))
        assert line.split()[3] == line.split()[4]
    await world.close()
