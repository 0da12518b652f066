"""Who gets traffic: checks, ejection, and what happens when nobody is left."""

import asyncio
from collections import Counter

import pytest
from tests.system.edge.world import Backend, World, hang, saying, until

from mainstay.core.errors import EdgeUnavailable
from mainstay.edge import ReplicaStats
from mainstay.spec.edge import Balance, Edge, Ejection, HealthCheck

pytestmark = pytest.mark.system

FAST = HealthCheck(interval_s=0.1, timeout_s=1.0, fall=3, rise=2)
BLIND = HealthCheck(kind="tcp", interval_s=600)


async def replica(world: World, backend: Backend) -> ReplicaStats:
    stats = await world.edge.stats()
    address = f"127.0.0.1:{backend.port}"
    return next(one for one in stats.services[0].replicas if one.address == address)


async def healthy(world: World, backend: Backend) -> bool:
    return (await replica(world, backend)).healthy


async def test_a_replica_falls_and_rises(world: World) -> None:
    world.declare(Edge(health=FAST, balance=Balance(policy="round_robin")))
    sick, _ = await world.backend("sick"), await world.backend("well")
    await world.up()
    assert len(await world.names(10)) == 2
    checks = sick.checks
    sick.health = 503
    await until(lambda: _not(healthy(world, sick)), "the replica is taken out")
    assert sick.checks - checks >= 3, "not before `fall` checks failed"
    await reached(world, "well")
    assert (await replica(world, sick)).why == "fails its health checks"
    checks = sick.checks
    sick.health = 200
    await until(lambda: healthy(world, sick), "it comes back")
    assert sick.checks - checks >= 2, "not before `rise` checks were good"
    await reached(world, "sick", "well")


async def reached(world: World, *names: str) -> None:
    """Wait until requests reach exactly these: Envoy's worker hears of health a moment later."""

    async def those() -> bool:
        return set(await world.names(12)) == set(names)

    await until(those, f"requests reach {names} and no other")


async def _not(found: object) -> bool:
    return not await found  # type: ignore[misc]  # A coroutine of bool; the lambda hides it.


async def test_a_replica_that_hangs_is_taken_out(world: World) -> None:
    world.declare(Edge(health=HealthCheck(interval_s=0.1, timeout_s=0.2, fall=2)))
    hung, _ = await world.backend("hung"), await world.backend("well")
    await world.up()
    hung.health = 0
    await until(lambda: _not(healthy(world, hung)), "the replica that hangs is taken out")
    await reached(world, "well")


async def test_a_replica_is_checked_at_its_port_for_probes(world: World) -> None:
    """From the push that tells of it: the app's own port is asked no more."""
    world.declare(Edge(health=FAST))
    busy, _ = await world.backend("busy"), await world.backend("other")
    door = Backend("door")
    await door.start()
    try:
        await world.up()
        await until(lambda: busy.checks > 0, "it is checked at its own port")
        resources = world.resources(
            world.backends, probe_port=lambda one: door.port if one is busy else 0
        )
        busy.health = 0
        await world.edge.push(resources)
        await until(lambda: door.checks > 4, "it is checked at the other")
        await reached(world, "busy", "other")
        assert await healthy(world, busy)
        door.health = 503
        await until(lambda: _not(healthy(world, busy)), "the replica is taken out")
        await reached(world, "other")
    finally:
        await door.stop()


async def test_a_tcp_check_asks_for_no_path(world: World) -> None:
    world.declare(Edge(health=HealthCheck(kind="tcp", interval_s=0.1, fall=1, rise=1)))
    gone, _ = await world.backend("gone"), await world.backend("well")
    await world.up()
    await reached(world, "gone", "well")
    await gone.stop()
    await until(lambda: _not(healthy(world, gone)), "a closed port is noticed")
    assert gone.checks == 0
    await gone.start()
    await until(lambda: healthy(world, gone), "an open one as well")


@pytest.mark.parametrize("replicas", [2, 3])
async def test_a_replica_that_fails_its_requests_is_ejected(world: World, replicas: int) -> None:
    """It answers its checks, so only its responses tell; and they keep it out for its time."""
    world.declare(
        Edge(
            health=FAST,
            balance=Balance(policy="round_robin"),
            eject=Ejection(failures=3, time_s=3600),
            retry=None,
        )
    )
    bad = await world.backend("bad")
    bad.answer = saying(500)
    for _ in range(replicas - 1):
        await world.backend("good")
    await world.up()
    failed = sum([(await world.get()).status_code == 500 for _ in range(replicas * 3)])
    assert failed == 3
    checks = bad.checks
    await until(lambda: bad.checks >= checks + 4, "it passes further checks")
    await reached(world, "good")
    found = await replica(world, bad)
    assert found.ejected
    assert found.passing
    assert found.why == "ejected: it failed too many requests in a row"


async def test_a_replica_that_asks_clients_to_come_back_stays(world: World) -> None:
    """It has too much to do and is healthy; else whoever overloads one has all of them ejected."""
    world.declare(
        Edge(
            health=FAST,
            balance=Balance(policy="round_robin"),
            eject=Ejection(failures=3, time_s=3600),
            retry=None,
        )
    )
    busy, bad = await world.backend("busy"), await world.backend("bad")
    await world.backend("good")
    busy.answer = saying(503, "retry-after: 3\r\n")
    bad.answer = saying(503)
    await world.up()
    for _ in range(30):
        await world.get()
    # The same without the header is a failure, so the 503 was looked at.
    await until(lambda: _is_ejected(world, bad), "the bad one is ejected")
    assert not await _is_ejected(world, busy)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("replicas", [2, 3])
async def test_a_replica_that_accepts_and_never_answers_is_ejected(
    world: World, replicas: int, method: str
) -> None:
    """As a stopped process: the kernel accepts for it, so a TCP check sees nothing."""
    world.declare(
        Edge(
            health=HealthCheck(kind="tcp", interval_s=0.1),
            balance=Balance(policy="round_robin"),
            eject=Ejection(failures=2, time_s=3600),
            timeout_s=1,
        )
    )
    stopped = await world.backend("stopped")
    stopped.answer = hang
    for _ in range(replicas - 1):
        await world.backend("good")
    await world.up()
    found = Counter([await status(world, method) for _ in range(replicas * 3)])
    assert len(stopped.seen) == 2
    lost = {504: 2} if method == "POST" else {}
    assert found == {200: replicas * 3 - sum(lost.values()), **lost}
    is_now = await replica(world, stopped)
    assert is_now.ejected
    assert is_now.passing, "by its checks all is well"
    await reached(world, "good")


async def status(world: World, method: str) -> int:
    return (await world.client.request(method, world.url)).status_code


@pytest.mark.parametrize(("share", "ejected"), [(0.5, 1), (0.67, 2), (0.34, 1), (1 / 3, 1)])
async def test_at_most_the_share_is_ejected(world: World, share: float, ejected: int) -> None:
    world.declare(
        Edge(
            health=BLIND,
            balance=Balance(policy="round_robin"),
            eject=Ejection(failures=1, time_s=3600, share_max=share),
            retry=None,
        )
    )
    for _ in range(3):
        (await world.backend()).answer = saying(500)
    await world.up()
    for _ in range(30):
        assert (await world.get()).status_code == 500
    stats = await world.edge.stats()
    assert sum(one.ejected for one in stats.services[0].replicas) == ejected


async def test_an_ejected_replica_comes_back_after_its_time(world: World) -> None:
    world.declare(
        Edge(
            health=BLIND,
            balance=Balance(policy="round_robin"),
            eject=Ejection(failures=1, time_s=0.5),
            retry=None,
        )
    )
    bad, _ = await world.backend("bad"), await world.backend("good")
    bad.answer = saying(500)
    await world.up()
    for _ in range(4):
        await world.get()
    assert (await replica(world, bad)).ejected
    bad.answer = bad.say_name
    await until(lambda: healthy(world, bad), "the ejection ends")
    await reached(world, "bad", "good")


async def test_when_no_replica_is_healthy_all_are_tried(world: World) -> None:
    """A check that fails everywhere is more likely wrong than right."""
    world.declare(Edge(health=FAST))
    one, two = await world.backend("one"), await world.backend("two")
    await world.up()
    one.health = two.health = 500
    await until(lambda: _not(healthy(world, one)), "the first falls")
    await until(lambda: _not(healthy(world, two)), "the second falls")
    await reached(world, "one", "two")


async def test_a_service_without_replicas_answers_503_at_once(world: World) -> None:
    await world.edge.start(world.resources([]))
    async with asyncio.timeout(5):
        response = await world.get()
    assert response.status_code == 503
    assert response.json()["type"] == "urn:mainstay:edge:no-replica"
    late = await world.backend("late")
    await world.edge.push(world.resources([late]))
    await reached(world, "late")


async def test_a_push_waits_for_the_first_check_of_a_replica_that_hangs(world: World) -> None:
    """Until then the last replicas serve, and whoever pushed may not end them yet."""
    world.declare(Edge(health=HealthCheck(timeout_s=0.7)))
    old, hung = await world.backend("old"), await world.backend("hung")
    hung.health = 0
    await world.edge.start(world.resources([old]))
    pushing = asyncio.create_task(world.edge.push(world.resources([old, hung])))
    await until(lambda: hung.checks > 0, "the new replica is checked")
    assert not pushing.done()
    await reached(world, "old")
    await pushing
    await reached(world, "old")


async def test_a_stopped_edge_has_no_figures(world: World) -> None:
    await world.edge.start(world.resources([]))
    await world.edge.drain(0)
    with pytest.raises(EdgeUnavailable):
        await world.edge.stats()


async def _is_ejected(world: World, backend: Backend) -> bool:
    return (await replica(world, backend)).ejected
