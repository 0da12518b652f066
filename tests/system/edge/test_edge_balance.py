"""Each balance policy spreads requests as it says."""

import asyncio
from collections import Counter

import pytest
from tests.system.edge.world import World, after, hang

from mainstay.spec.edge import Balance, Edge

pytestmark = pytest.mark.system


async def spread_over_three(world: World, balance: Balance, timeout_s: float | None = None) -> None:
    world.declare(Edge(balance=balance, timeout_s=timeout_s))
    for _ in range(3):
        await world.backend()
    await world.up()


async def test_round_robin_is_even(world: World) -> None:
    await spread_over_three(world, Balance(policy="round_robin"))
    found = await world.names(30)
    assert sorted(found.values()) == [10, 10, 10]


async def test_random_reaches_all(world: World) -> None:
    await spread_over_three(world, Balance(policy="random"))
    found = await world.names(150)
    # Each is binomial with mean 50 and deviation 5.8: seven deviations.
    assert min(found.values()) >= 10
    assert len(found) == 3


async def test_weighted_follows_the_weights(world: World) -> None:
    world.declare(Edge(balance=Balance(policy="weighted")))
    heavy, light = await world.backend("heavy"), await world.backend("light")
    resources = world.resources([heavy, light], weight=lambda one: 3 if one is heavy else 1)
    await world.edge.start(resources)
    found = await world.names(80)
    assert abs(found["heavy"] - 60) <= 2


@pytest.mark.parametrize("policy", ["least_requests", "least_response_time"])
async def test_a_slow_replica_gets_less(world: World, policy: str) -> None:
    """Requests in flight pile up at the slow one, so new ones go elsewhere."""
    await spread_over_three(world, Balance(policy=policy))
    slow = world.backends[0]
    slow.answer = after(0.5, slow.name)

    async def some() -> Counter[str]:
        return await world.names(20)

    found = sum(await asyncio.gather(*(some() for _ in range(6))), Counter[str]())
    others = found.total() - found[slow.name]
    # An even share would be a third.
    assert found[slow.name] < others / 5, found


@pytest.mark.parametrize("policy", ["ring_hash", "maglev"])
async def test_a_hashed_header_chooses_the_replica(world: World, policy: str) -> None:
    await spread_over_three(world, Balance(policy=policy, hash_header="x-user"))
    chosen = set()
    for user in range(24):
        found = await world.names(3, **{"x-user": f"user {user}"})
        assert len(found) == 1, "one user stays with one replica"
        chosen |= set(found)
    # 3 * (2/3)**24 = 0.0002: the chance that some replica got none of them.
    assert len(chosen) == 3


@pytest.mark.parametrize("policy", ["ring_hash", "maglev"])
async def test_without_a_header_the_client_address_chooses(world: World, policy: str) -> None:
    await spread_over_three(world, Balance(policy=policy))
    assert len(await world.names(12)) == 1


async def test_a_request_without_the_hashed_header_falls_back_to_the_address(world: World) -> None:
    await spread_over_three(world, Balance(policy="ring_hash", hash_header="x-user"))
    assert len(await world.names(12)) == 1


@pytest.mark.parametrize("policy", ["least_requests", "least_response_time"])
async def test_idle_replicas_are_alike(world: World, policy: str) -> None:
    """One request at a time meets a tie, and ties are drawn: no replica is the favourite."""
    await spread_over_three(world, Balance(policy=policy))
    found = await world.names(90)
    # Each is binomial with mean 30 and deviation 4.5: more than five deviations.
    assert min(found.values()) >= 6
    assert len(found) == 3


async def test_a_hanging_replica_gets_next_to_nothing(world: World) -> None:
    """Before any check has failed, requests in flight already speak against it."""
    await spread_over_three(world, Balance(), timeout_s=0.4)
    hanging = world.backends[0]
    hanging.answer = hang
    found = await world.names(60)
    assert found.total() == 60, "a second replica answers what it got"
    # Three draws in a row meet it in one of 27 cases; an even share would be 20.
    assert len(hanging.seen) < 12
