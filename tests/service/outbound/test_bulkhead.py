"""The bulkhead: its slots alone, and within a policy."""

import asyncio
import threading
from collections.abc import Callable
from random import Random

import pytest

from mainstay import Bulkhead, Policy, keyed
from mainstay.core.errors import BulkheadFull, DeadlineExceeded
from mainstay.service.outbound.bulkhead import Slots
from mainstay.service.outbound.context import deadline
from mainstay.service.outbound.plan import Parts
from mainstay.testing import VirtualClock, run_virtual


class Queued:
    """A waiter that remembers whether it was granted a slot."""

    def __init__(self, key: str | None = None) -> None:
        self.key = key
        self._grants = 0

    @property
    def granted(self) -> bool:
        return self._grants > 0

    def grant(self) -> None:
        self._grants += 1
        assert self._grants == 1, "a slot is granted once"


def test_waiters_are_served_in_the_order_in_which_they_came() -> None:
    slots = Slots(Bulkhead(limit=1, queue=3))
    slots.free.pop()
    waiters = [Queued() for _ in range(3)]
    assert all(slots.join(waiter) for waiter in waiters)
    slots.give_back(None)
    assert [waiter.granted for waiter in waiters] == [True, False, False]
    slots.give_back(None)
    assert [waiter.granted for waiter in waiters] == [True, True, False]


def test_a_full_queue_refuses() -> None:
    slots = Slots(Bulkhead(limit=1, queue=1))
    slots.free.pop()
    assert slots.join(Queued())
    assert not slots.join(Queued())
    assert slots.waiting() == 1


def test_who_leaves_the_queue_is_not_served() -> None:
    slots = Slots(Bulkhead(limit=1, queue=2))
    slots.free.pop()
    first, second = Queued(), Queued()
    slots.join(first)
    slots.join(second)
    assert slots.leave(first)
    slots.give_back(None)
    assert (first.granted, second.granted) == (False, True)
    assert not slots.leave(second)


def test_one_key_cannot_take_it_all() -> None:
    slots = Slots(Bulkhead(limit=4, per_key=2, queue=4))
    waiters = [Queued("greedy") for _ in range(3)] + [Queued("modest")]
    assert all(slots.join(waiter) for waiter in waiters)
    assert [waiter.granted for waiter in waiters] == [True, True, False, True]
    slots.give_back("greedy")
    assert waiters[2].granted


def test_who_waits_for_its_key_holds_up_nobody_else() -> None:
    slots = Slots(Bulkhead(limit=3, per_key=1, queue=4))
    for key, granted in (("a", True), ("a", False), ("b", True), (None, True), ("c", False)):
        waiter = Queued(key)
        assert slots.join(waiter)
        assert waiter.granted is granted


def test_keys_are_forgotten_when_their_calls_are_done() -> None:
    slots = Slots(Bulkhead(limit=4, per_key=2))
    for nth in range(100):
        assert slots.join(Queued(f"tenant-{nth}"))
        slots.give_back(f"tenant-{nth}")
    assert slots._by_key == {}
    assert slots.in_flight() == 0


def test_a_lower_limit_holds_when_the_calls_in_flight_are_done() -> None:
    slots = Slots(Bulkhead(limit=3, queue=9))
    for _ in range(3):
        slots.free.pop()
    slots.reconfigure(Bulkhead(limit=1, queue=9))
    waiter = Queued()
    slots.join(waiter)
    slots.give_back(None)
    slots.give_back(None)
    assert [waiter.granted] == [False]
    slots.give_back(None)
    assert [waiter.granted] == [True]
    assert slots.in_flight() == 1


def test_a_higher_limit_lets_those_in_that_wait() -> None:
    slots = Slots(Bulkhead(limit=1, queue=9))
    slots.free.pop()
    waiters = [Queued(), Queued()]
    for waiter in waiters:
        slots.join(waiter)
    slots.reconfigure(Bulkhead(limit=3, queue=9))
    assert all(waiter.granted for waiter in waiters)
    assert slots.in_flight() == 3


@pytest.mark.parametrize("per_key", [None, 2])
@pytest.mark.parametrize("seed", range(20))
def test_no_slot_is_lost_or_invented_whatever_happens(per_key: int | None, seed: int) -> None:
    rng = Random(seed)
    limit = 3
    slots = Slots(Bulkhead(limit=limit, queue=4, per_key=per_key))
    waiting: list[Queued] = []
    holding: list[Queued] = []
    for _ in range(500):
        action = rng.choice(["join", "join", "give", "leave", "resize"])
        if action == "join":
            waiter = Queued(rng.choice(["a", "b", None]) if per_key else None)
            if slots.join(waiter):
                waiting.append(waiter)
        elif action == "give" and holding:
            slots.give_back(holding.pop(rng.randrange(len(holding))).key)
        elif action == "leave" and waiting:
            waiter = waiting.pop(rng.randrange(len(waiting)))
            assert slots.leave(waiter) is not waiter.granted
            if waiter.granted:
                slots.give_back(waiter.key)
        elif action == "resize":
            limit = rng.randint(1, 6)
            slots.reconfigure(Bulkhead(limit=limit, queue=4, per_key=per_key))
        holding += [waiter for waiter in waiting if waiter.granted]
        waiting = [waiter for waiter in waiting if not waiter.granted]
        assert slots.in_flight() == len(holding)
        assert slots.waiting() == len(waiting)
    while holding:
        slots.give_back(holding.pop().key)
        holding += [waiter for waiter in waiting if waiter.granted]
        waiting = [waiter for waiter in waiting if not waiter.granted]
    assert (slots.in_flight(), slots.waiting()) == (0, 0)


def test_no_more_calls_than_the_limit_are_in_flight_and_the_rest_is_rejected() -> None:
    async def scenario() -> None:
        policy = Policy(bulkhead=Bulkhead(limit=3), clock=VirtualClock.running())
        inside = most = 0

        async def call() -> None:
            nonlocal inside, most
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(1)
            inside -= 1

        outcomes = await asyncio.gather(
            *(policy.acall(call) for _ in range(10)), return_exceptions=True
        )
        assert most == 3
        assert sum(isinstance(outcome, BulkheadFull) for outcome in outcomes) == 7
        assert policy.stats().in_flight == 0

    run_virtual(scenario())


def test_who_waits_too_long_is_rejected_and_leaves_no_trace() -> None:
    async def scenario() -> None:
        clock = VirtualClock.running()
        policy = Policy(bulkhead=Bulkhead(limit=1, queue=5, wait="100ms"), clock=clock)
        slow = asyncio.create_task(policy.acall(asyncio.sleep, 1))
        await asyncio.sleep(0)
        began_s = clock.monotonic_s()
        with pytest.raises(BulkheadFull):
            await policy.acall(asyncio.sleep, 0)
        assert clock.monotonic_s() - began_s == pytest.approx(0.1)
        assert policy.stats().waiting == 0
        await slow
        await policy.acall(asyncio.sleep, 0)

    run_virtual(scenario())


def test_the_deadline_bounds_the_wait() -> None:
    async def scenario() -> None:
        clock = VirtualClock.running()
        policy = Policy(bulkhead=Bulkhead(limit=1, queue=5, wait="10s"), clock=clock)
        slow = asyncio.create_task(policy.acall(asyncio.sleep, 100))
        await asyncio.sleep(0)
        with deadline("1s", clock=clock), pytest.raises(DeadlineExceeded) as caught:
            await policy.acall(asyncio.sleep, 0)
        assert not caught.value.begun
        slow.cancel()

    run_virtual(scenario())


def test_a_tenant_waits_for_its_own_calls_only() -> None:
    async def scenario() -> None:
        policy = Policy(
            bulkhead=Bulkhead(limit=10, per_key=1, queue=10, wait="10s"),
            clock=VirtualClock.running(),
        )
        order: list[str] = []

        async def call(name: str) -> None:
            await asyncio.sleep(1)
            order.append(name)

        async def as_tenant(key: str, name: str) -> None:
            with keyed(key):
                await policy.acall(call, name)

        await asyncio.gather(as_tenant("a", "a1"), as_tenant("a", "a2"), as_tenant("b", "b1"))
        assert order == ["a1", "b1", "a2"]

    run_virtual(scenario())


def in_threads(count: int, work: Callable[[int], None]) -> None:
    """Run ``work`` in threads and raise what one of them raised."""
    errors: list[BaseException] = []

    def run(at: int) -> None:
        try:
            work(at)
        except BaseException as error:  # noqa: BLE001  Raised below, in the test's own thread.
            errors.append(error)

    threads = [threading.Thread(target=run, args=(at,)) for at in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    if errors:
        raise errors[0]


def test_eight_threads_wait_for_two_slots_and_all_get_one() -> None:
    policy = Policy(bulkhead=Bulkhead(limit=2, queue=8, wait="60s"))
    lock = threading.Lock()
    inside = most = done = 0

    def call() -> None:
        nonlocal inside, most, done
        with lock:
            inside += 1
            most = max(most, inside)
        with lock:
            inside -= 1
            done += 1

    def work(at: int) -> None:
        for _ in range(200):
            policy.call(call)

    in_threads(8, work)
    assert done == 1600
    assert 1 <= most <= 2
    assert policy.stats().in_flight == 0
    assert policy.stats().waiting == 0


def test_threads_and_loops_share_one_bulkhead() -> None:
    policy = Policy(bulkhead=Bulkhead(limit=2, queue=16, wait="60s"))
    done = [0] * 8

    async def acall(at: int) -> None:
        await asyncio.sleep(0)
        done[at] += 1

    def call(at: int) -> None:
        done[at] += 1

    def work(at: int) -> None:
        if at % 2:
            for _ in range(100):
                policy.call(call, at)
        else:

            async def many() -> None:
                for _ in range(100):
                    await policy.acall(acall, at)

            asyncio.run(many())

    in_threads(8, work)
    assert done == [100] * 8
    assert policy.stats().in_flight == 0


def test_a_new_limit_reaches_calls_that_wait() -> None:
    async def scenario() -> None:
        policy = Policy(
            bulkhead=Bulkhead(limit=1, queue=5, wait="10s"), clock=VirtualClock.running()
        )
        slow = asyncio.create_task(policy.acall(asyncio.sleep, 5))
        waits = asyncio.create_task(policy.acall(asyncio.sleep, 0))
        await asyncio.sleep(1)
        assert policy.stats().waiting == 1
        policy.update(Parts(bulkhead=Bulkhead(limit=2, queue=5, wait="10s")))
        await waits
        assert not slow.done()
        await slow

    run_virtual(scenario())
