"""Whoever stops waiting, and whenever: no place is lost, none is given twice."""

import asyncio
import contextlib
import threading
from random import Random

import pytest
from tests.service.inbound.admission.made import CRITICAL, LOW, admission, answered, exchange

from mainstay.core.clock import SYSTEM_CLOCK
from mainstay.service.inbound.admission import Admission
from mainstay.spec.shed import Shed
from mainstay.testing import VirtualClock, run_virtual, virtual_time

HUGE_S = 50.0


def is_idle(gate: Admission) -> bool:
    stats = gate.stats()
    return stats.in_flight == stats.waiting == 0


async def request(gate: Admission, clock: VirtualClock, priority: int = 2) -> bool:
    """Do as a shell does."""
    one = exchange(clock.monotonic_s(), priority=priority)
    if not gate.enter(one) and await gate.wait(one) is not None:
        return False
    try:
        await asyncio.sleep(0.05)
        answered(one, clock.monotonic_s())
    finally:
        gate.leave(one, clock.monotonic_s())
    return True


@virtual_time
async def test_one_that_is_cancelled_while_it_waits_leaves_the_queue() -> None:
    clock = VirtualClock.running()
    gate = admission(Shed(mode="fixed", limit=1), clock)
    first = exchange(clock.monotonic_s())
    assert gate.enter(first)
    task = asyncio.create_task(request(gate, clock))
    await asyncio.sleep(0.01)
    assert gate.stats().waiting == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert gate.stats().waiting == 0
    gate.leave(first, clock.monotonic_s())
    assert is_idle(gate)


@virtual_time
async def test_a_place_granted_in_the_moment_of_a_cancellation_is_given_on() -> None:
    clock = VirtualClock.running()
    gate = admission(Shed(mode="fixed", limit=1), clock)
    first = exchange(clock.monotonic_s())
    assert gate.enter(first)
    cancelled = asyncio.create_task(request(gate, clock))
    next_one = asyncio.create_task(request(gate, clock))
    await asyncio.sleep(0.01)
    gate.leave(first, clock.monotonic_s())
    assert not cancelled.done()
    cancelled.cancel()
    assert await next_one
    assert cancelled.cancelled()
    assert is_idle(gate)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("mode", ["fixed", "adaptive"])
def test_cancelled_at_any_moment(mode: str, seed: int) -> None:
    """Hundreds of requests of any priority, of which half are cancelled after any time."""

    async def main() -> None:
        clock, rng = VirtualClock.running(), Random(seed)
        gate = admission(Shed(mode=mode, limit=4, queue=20, wait_s=0.2), clock)

        async def one(after_s: float) -> bool:
            await asyncio.sleep(after_s)
            return await request(gate, clock, rng.randint(CRITICAL, LOW))

        tasks = [asyncio.create_task(one(rng.uniform(0, 2))) for _ in range(300)]
        for task in tasks[::2]:
            # Many land on the same moment as a grant: both are multiples of the same step.
            await asyncio.sleep(rng.choice([0.0, 0.0, 0.05 / 4]))
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert is_idle(gate)
        assert sum(result is True for result in results) > 50
        assert await request(gate, clock)

    run_virtual(main())


def test_a_loop_that_ends_takes_its_waiters_with_it() -> None:
    """A coroutine that is thrown away half done gives its place in the queue back."""
    clock = VirtualClock()
    gate = admission(Shed(mode="fixed", limit=1), clock)
    first = exchange(clock.monotonic_s())
    assert gate.enter(first)

    async def leave_one_waiting() -> None:
        task = asyncio.create_task(request(gate, clock))
        await asyncio.sleep(0.01)
        assert gate.stats().waiting == 1
        del task

    run_virtual(leave_one_waiting(), clock=clock)
    assert gate.stats().waiting == 0
    gate.leave(first, clock.monotonic_s())
    assert is_idle(gate)


class InThreads:
    """Threads that do as a WSGI shell does, and count how many are inside."""

    def __init__(self, gate: Admission, limit: int) -> None:
        self.gate = gate
        self.limit = limit
        self.inside = self.worst = self.admitted = self.refused = 0
        self.lock = threading.Lock()

    def run(self, rounds: int, barrier: threading.Barrier) -> None:
        barrier.wait(HUGE_S)
        for nth in range(rounds):
            one = exchange(SYSTEM_CLOCK.monotonic_s(), priority=nth % 4)
            if not self.gate.enter(one) and self.gate.wait_in_thread(one) is not None:
                with self.lock:
                    self.refused += 1
                continue
            with self.lock:
                self.inside += 1
                self.worst = max(self.worst, self.inside)
                self.admitted += 1
            with self.lock:
                self.inside -= 1
            now_s = SYSTEM_CLOCK.monotonic_s()
            self.gate.leave(answered(one, now_s), now_s)


@pytest.mark.parametrize("queue", [2, 100])
def test_threads_never_pass_the_limit_and_lose_no_place(queue: int) -> None:
    gate = admission(Shed(mode="fixed", limit=3, queue=queue, wait_s=HUGE_S), SYSTEM_CLOCK)
    threads = InThreads(gate, 3)
    barrier = threading.Barrier(8)
    running = [threading.Thread(target=threads.run, args=(500, barrier)) for _ in range(8)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(HUGE_S)
        assert not thread.is_alive()
    assert threads.worst <= 3
    assert threads.admitted + threads.refused == 8 * 500
    assert threads.refused == sum(gate.stats().refused)
    assert is_idle(gate)


def test_a_thread_that_waits_too_long_is_refused() -> None:
    gate = admission(Shed(mode="fixed", limit=1, wait_s=0.01), SYSTEM_CLOCK)
    assert gate.enter(exchange(0.0))
    refusal = gate.wait_in_thread(exchange(0.0))
    assert refusal is not None
    assert refusal.kind == "overloaded"
    refusal = gate.wait_in_thread(exchange(0.0, expires_s=SYSTEM_CLOCK.monotonic_s()))
    assert refusal is not None
    assert refusal.kind == "deadline-exceeded"
    assert gate.stats().waiting == 0


def test_loops_of_several_threads_and_plain_threads_share_one_limit() -> None:
    gate = admission(Shed(mode="fixed", limit=2, queue=1_000, wait_s=HUGE_S), SYSTEM_CLOCK)
    plain = InThreads(gate, 2)
    barrier = threading.Barrier(6)
    served: list[int] = []

    async def many() -> int:
        async def one() -> bool:
            arrived = exchange(SYSTEM_CLOCK.monotonic_s())
            if not gate.enter(arrived) and await gate.wait(arrived) is not None:
                return False
            await asyncio.sleep(0)
            now_s = SYSTEM_CLOCK.monotonic_s()
            gate.leave(answered(arrived, now_s), now_s)
            return True

        return sum(await asyncio.gather(*(one() for _ in range(100))))

    def on_a_loop() -> None:
        barrier.wait(HUGE_S)
        served.extend(asyncio.run(many()) for _ in range(3))

    running = [
        *(threading.Thread(target=plain.run, args=(300, barrier)) for _ in range(3)),
        *(threading.Thread(target=on_a_loop) for _ in range(3)),
    ]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(HUGE_S)
        assert not thread.is_alive()
    assert plain.admitted == 900
    assert served == [100] * 9
    assert is_idle(gate)


def test_a_waiter_whose_loop_was_closed_is_passed_over() -> None:
    """Its loop was closed without ending its tasks; the place goes to the next."""
    clock = VirtualClock()
    gate = admission(Shed(mode="fixed", limit=1, wait_s=HUGE_S), clock)
    first = exchange(clock.monotonic_s())
    assert gate.enter(first)
    loop = asyncio.new_event_loop()
    abandoned = gate.wait(exchange(clock.monotonic_s()))
    task = loop.create_task(abandoned)
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    assert gate.stats().waiting == 1
    gate.leave(first, clock.monotonic_s())
    assert gate.stats().in_flight == gate.stats().waiting == 0
    with contextlib.suppress(RuntimeError):
        abandoned.close()
    task._log_destroy_pending = False  # type: ignore[attr-defined]  # It is the point.
    assert is_idle(gate)
