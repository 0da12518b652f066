"""What policies and deadlines hold in memory, and that one does not pay for the others."""

import asyncio
import gc
import tracemalloc
from typing import Any

import pytest

from mainstay import AttemptTimeout, Breaker, Bulkhead, Deadline, Policy, Retry
from mainstay.core.alarm import Lane
from mainstay.testing import VirtualClock, run_virtual

POLICY_BYTES_MAX = 4096
DEADLINE_BYTES_MAX = 200


def policy() -> Policy:
    return Policy(
        deadline=Deadline("5s"), bulkhead=Bulkhead(limit=32), retry=Retry(), breaker=Breaker(),
        attempt_timeout=AttemptTimeout(within="1s"),
    )  # fmt: skip


def held(make: object, count: int) -> float:
    """Return the bytes that each of so many things holds."""
    assert callable(make)
    make()
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    kept = [make() for _ in range(count)]
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    del kept
    return (after - before) / count


def test_a_policy_with_everything_holds_less_than_4_kb() -> None:
    assert held(policy, 300) < POLICY_BYTES_MAX


def test_a_deadline_that_nobody_reaches_holds_less_than_200_bytes() -> None:
    """The alarm, its time, and its entry in the bucket."""

    async def scenario() -> float:
        clock = VirtualClock.running()
        lane = Lane(30.0, clock)
        nth = 0.0

        def make() -> object:
            nonlocal nth
            nth += 1e-6
            return lane.set(1000.0 + nth, 1030.0 + nth, (), None)

        return held(make, 10_000)

    assert run_virtual(scenario()) < DEADLINE_BYTES_MAX


def test_ten_thousand_policies_share_what_was_compiled_and_one_call_touches_one() -> None:
    policies = [policy() for _ in range(10_000)]
    assert len({id(one.plan.shape) for one in policies}) == 1
    for one in policies[:3]:
        one.call(int)
    assert sum(one.stats().calls or 0 for one in policies[3:]) == 0


class CountingClock(VirtualClock):
    """Counts how often it is read."""

    def __init__(self) -> None:
        super().__init__()
        self.readings = 0

    def monotonic_s(self) -> float:
        self.readings += 1
        return super().monotonic_s()


@pytest.mark.parametrize(
    ("parts", "readings"),
    [
        ({"retry": Retry()}, 0),
        ({"breaker": Breaker()}, 0),
        ({"retry": Retry(), "breaker": Breaker(), "bulkhead": Bulkhead()}, 0),
        ({"breaker": Breaker(rate="50% of 20 in 30s")}, 1),
        ({"breaker": Breaker(slow=1.0, slow_rate="50% of 20 in 30s")}, 2),
        ({"deadline": Deadline(5.0), "retry": Retry(), "breaker": Breaker()}, 1),
    ],
)
def test_the_clock_is_read_only_for_parts_that_need_it(
    parts: dict[str, Any], readings: int
) -> None:
    clock = CountingClock()

    def call() -> None:
        pass

    guarded = Policy(clock=clock, **parts)(call)
    guarded()
    clock.readings = 0
    guarded()
    assert clock.readings == readings


def test_a_call_leaves_no_garbage_behind() -> None:
    def call() -> int:
        return 1

    guarded = policy()(call)
    guarded()
    gc.collect()
    gc.disable()
    try:
        for _ in range(1000):
            guarded()
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_an_asynchronous_call_leaves_no_garbage_behind() -> None:
    async def scenario() -> int:
        async def call() -> None:
            pass

        guarded = policy()(call)
        await guarded()
        gc.collect()
        gc.disable()
        try:
            for _ in range(1000):
                await guarded()
            return gc.collect()
        finally:
            gc.enable()

    assert asyncio.run(scenario()) == 0
