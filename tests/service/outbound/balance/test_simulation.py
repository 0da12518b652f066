"""A slow endpoint among three, under virtual time: who sends it how much."""

import asyncio
from collections import Counter
from random import Random

import pytest

from mainstay.service.outbound.balance import Balancer, Way
from mainstay.testing import VirtualClock, run_virtual

TOOK_S = {"slow": 0.200, "fast-1": 0.020, "fast-2": 0.020}
CALLS = 6_000
RATE_PER_S = 100


def shares(way: Way) -> dict[str, float]:
    """Return each endpoint's share of calls that arrive at random, 100 a second."""

    async def call(balancer: Balancer, chosen: Counter[str]) -> None:
        with balancer.pick() as lease:
            chosen[lease.endpoint.host] += 1
            await asyncio.sleep(TOOK_S[lease.endpoint.host])
            lease.succeeded()

    async def main() -> Counter[str]:
        rng = Random(1)
        chosen: Counter[str] = Counter()
        balancer = Balancer(
            [f"{host}:80" for host in TOOK_S], by=way, clock=VirtualClock.running(), rng=rng
        )
        async with asyncio.TaskGroup() as group:
            for _ in range(CALLS):
                group.create_task(call(balancer, chosen))
                await asyncio.sleep(rng.expovariate(RATE_PER_S))
        assert all(state.active == 0 for state in balancer.endpoints())
        return chosen

    chosen = run_virtual(main())
    return {host: chosen[host] / CALLS for host in TOOK_S}


def test_round_robin_sends_the_slow_one_its_third() -> None:
    """The control: without looking at load or time the slow one gets as much as any."""
    assert shares("round_robin")["slow"] == pytest.approx(1 / 3, abs=0.001)


@pytest.mark.parametrize(
    ("way", "at_most"), [("least_requests", 0.12), ("two_choices", 0.16),
                         ("least_response_time", 0.02)],
)  # fmt: skip
def test_the_slow_one_gets_little(way: Way, at_most: float) -> None:
    got = shares(way)
    assert 0 < got["slow"] < at_most, "little, but it isn't forgotten"
    assert got["fast-1"] == pytest.approx(got["fast-2"], abs=0.05)
