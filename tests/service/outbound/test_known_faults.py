"""What is wrong with what exists: each fault was reproduced in other libraries, none may be here.

The sentences are those of the issue that asked for this room.
"""

import asyncio
import contextvars
import threading
import traceback
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

import pytest

from mainstay import AttemptTimeout, Breaker, Bulkhead, Deadline, Policy, RateLimit, Retry
from mainstay.core.errors import AttemptTimedOut, CircuitOpen, DeadlineExceeded
from mainstay.service.outbound.breaker.circuit import State
from mainstay.service.outbound.context import deadline
from mainstay.service.outbound.hedge import Hedge
from mainstay.testing import VirtualClock, run_virtual

if TYPE_CHECKING:
    from tests.service.outbound.conftest import Flaky, World

CALLERS = 50


def fail() -> None:
    raise ConnectionError("away")


async def afail() -> None:
    raise ConnectionError("away")


def test_half_open_lets_one_of_fifty_concurrent_callers_through() -> None:
    async def scenario() -> None:
        clock = VirtualClock.running()
        policy = Policy(breaker=Breaker(failures=1, open="1s"), clock=clock)
        with pytest.raises(ConnectionError):
            await policy.acall(afail)
        await asyncio.sleep(1)
        through = 0

        async def probe() -> None:
            nonlocal through
            through += 1
            await asyncio.sleep(1)

        outcomes = await asyncio.gather(
            *(policy.acall(probe) for _ in range(CALLERS)), return_exceptions=True
        )
        assert through == 1
        assert sum(isinstance(outcome, CircuitOpen) for outcome in outcomes) == CALLERS - 1

    run_virtual(scenario())


def test_half_open_lets_one_of_fifty_threads_through() -> None:
    clock = VirtualClock()
    policy = Policy(breaker=Breaker(failures=1, open="1s"), clock=clock)
    with pytest.raises(ConnectionError):
        policy.call(fail)
    clock.advance(1)
    barrier, gate = threading.Barrier(CALLERS), threading.Event()
    through, rejected = [], []

    def probe() -> None:
        through.append(1)
        assert gate.wait(60)

    def caller() -> None:
        barrier.wait()
        try:
            policy.call(probe)
        except CircuitOpen:
            rejected.append(1)
            if len(rejected) == CALLERS - 1:
                gate.set()

    threads = [threading.Thread(target=caller) for _ in range(CALLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (len(through), len(rejected)) == (1, CALLERS - 1)


def test_calls_run_beside_each_other_and_not_one_at_a_time() -> None:
    """No lock is held during a call: all eight threads meet inside of it."""
    policy = Policy(
        breaker=Breaker(rate="50% of 20 in 30s"), bulkhead=Bulkhead(), retry=Retry(),
        rate_limit=RateLimit(rate=1000.0, burst=100),
    )  # fmt: skip
    barrier = threading.Barrier(8)
    met = []
    threads = [
        threading.Thread(target=lambda: met.append(policy.call(barrier.wait, 60))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(met) == list(range(8))


def test_it_opens_on_coroutine_functions_too() -> None:
    async def scenario() -> None:
        policy = Policy(breaker=Breaker(failures=3), clock=VirtualClock.running())
        for _ in range(3):
            with pytest.raises(ConnectionError):
                await policy.acall(afail)
        with pytest.raises(CircuitOpen):
            await policy.acall(afail)

    run_virtual(scenario())


@pytest.mark.parametrize("failures_before", [0, 2])
def test_a_cancelled_call_neither_counts_as_a_failure_nor_resets_the_count(
    failures_before: int,
) -> None:
    async def scenario() -> None:
        policy = Policy(breaker=Breaker(failures=3), clock=VirtualClock.running())
        for _ in range(failures_before):
            with pytest.raises(ConnectionError):
                await policy.acall(afail)
        for _ in range(10):
            call = asyncio.create_task(policy.acall(asyncio.sleep, 100))
            await asyncio.sleep(1)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
        assert policy.stats().failures_in_a_row == failures_before
        assert policy.breaker.state is State.CLOSED

    run_virtual(scenario())


def test_a_late_success_of_an_old_call_does_not_close_an_open_circuit() -> None:
    async def scenario() -> None:
        policy = Policy(breaker=Breaker(failures=1, open="60s"), clock=VirtualClock.running())
        old = asyncio.create_task(policy.acall(asyncio.sleep, 5, "late"))
        await asyncio.sleep(1)
        with pytest.raises(ConnectionError):
            await policy.acall(afail)
        assert await old == "late"
        assert policy.breaker.state is State.OPEN
        with pytest.raises(CircuitOpen):
            await policy.acall(afail)

    run_virtual(scenario())


def test_rejections_do_not_grow_a_traceback_without_end(world: "World") -> None:
    policy = world.policy(breaker=Breaker(failures=1))
    with pytest.raises(ConnectionError):
        world.call(policy, fail)
    lengths, errors = set(), set()
    for _ in range(50):
        with pytest.raises(CircuitOpen) as caught:
            world.call(policy, fail)
        lengths.add(len(traceback.extract_tb(caught.value.__traceback__)))
        errors.add(id(caught.value))
        assert caught.value.__context__ is None
    assert len(lengths) == 1


def test_a_total_time_of_half_a_second_ends_an_attempt_of_one_and_a_half() -> None:
    async def scenario() -> None:
        clock = VirtualClock.running()
        policy = Policy(retry=Retry(total="500ms"), clock=clock)
        began_s = clock.monotonic_s()
        with pytest.raises(DeadlineExceeded) as caught:
            await policy.acall(asyncio.sleep, 1.5)
        assert clock.monotonic_s() - began_s == pytest.approx(0.5)
        assert caught.value.begun

    run_virtual(scenario())


def test_in_synchronous_code_the_time_that_is_left_bounds_what_the_client_waits(
    world: "World",
) -> None:
    """A thread can't be interrupted, so the client must know: and no attempt begins too late."""
    from mainstay import remaining_s

    seen = []

    def attempt() -> None:
        left_s = remaining_s()
        assert left_s is not None
        seen.append(round(left_s, 3))
        world.clock.advance(left_s)
        raise TimeoutError("the client's own")

    policy = world.policy(retry=Retry(total="500ms", attempts=5))
    with pytest.raises(TimeoutError):
        world.call(policy, attempt)
    assert seen == [0.5]


def test_three_nested_layers_of_three_attempts_make_three_calls(
    world: "World", flaky: Callable[..., "Flaky"]
) -> None:
    broken = flaky(10**6)
    inner, middle, outer = (
        world.policy(name=name, retry=Retry(attempts=3)) for name in ("inner", "middle", "outer")
    )
    if world.is_async:

        async def scenario() -> None:
            async def call() -> None:
                broken()

            await outer(middle(inner(call)))()

        with pytest.raises(ConnectionError):
            world.run(scenario())
    else:
        with pytest.raises(ConnectionError):
            outer(middle(inner(broken)))()
    assert broken.calls == 3


def test_a_nested_layer_that_opts_out_by_name_does_retry(
    world: "World", flaky: Callable[..., "Flaky"]
) -> None:
    """Also in a task of its own within the attempt: the layers around it are inherited."""
    broken = flaky(10**6)
    outer = world.policy(name="outer", retry=Retry(attempts=2))
    inner = world.policy(name="inner", retry=Retry(attempts=3, within=("outer",)))
    other = world.policy(name="other", retry=Retry(attempts=3, within=("somebody",)))
    for policy, calls in ((inner, 6), (other, 2)):
        broken.calls_s.clear()
        if world.is_async:

            async def call() -> None:
                broken()

            async def in_a_task(policy: Policy = policy) -> None:
                await asyncio.create_task(policy.acall(call))

            with pytest.raises(ConnectionError):
                world.run(outer.acall(in_a_task))
        else:
            with pytest.raises(ConnectionError):
                outer.call(policy.call, broken)
        assert broken.calls == calls


def test_a_million_failures_do_not_overflow_the_backoff() -> None:
    from mainstay.service.outbound.retry.retry import pause_before_next_s

    retry = Retry(attempts=3, jitter="none")
    pause_s = pause_before_next_s(
        retry, 2, asked_s=None, last_s=0.0, left_s=float("inf"), rng=Random(0)
    )
    assert pause_s == pytest.approx(0.1)
    for failures in (1, 1024, 10**6):
        from mainstay.service.outbound.retry.backoff import backoff_s

        assert 0 <= backoff_s(
            "full", failures, base_s=0.05, max_s=1.0, last_s=1.0, rng=Random(0)
        ) <= 1.0  # fmt: skip


@pytest.mark.parametrize("form", ["deadline", "region", "policy"])
def test_a_timeout_shared_by_three_tasks_times_out_for_all_three(form: str) -> None:
    async def scenario() -> None:
        clock = VirtualClock.running()
        shared = deadline("100ms", clock=clock)
        policy = Policy(attempt_timeout=AttemptTimeout(within="100ms"), clock=clock)

        async def body() -> None:
            if form == "deadline":
                async with shared:
                    await asyncio.sleep(10)
            elif form == "region":
                async with policy:
                    await asyncio.sleep(10)
            else:
                await policy.acall(asyncio.sleep, 10)

        async def task(pause_s: float) -> float:
            await asyncio.sleep(pause_s)
            began_s = clock.monotonic_s()
            with pytest.raises(TimeoutError):
                await body()
            return clock.monotonic_s() - began_s

        took_s = await asyncio.gather(task(0), task(0.03), task(0.06))
        assert took_s == pytest.approx([0.1, 0.1, 0.1])

    run_virtual(scenario())


@pytest.mark.parametrize("when", ["before", "same turn"])
def test_a_cancelled_waiter_loses_no_slot(when: str) -> None:
    async def scenario() -> None:
        policy = Policy(
            bulkhead=Bulkhead(limit=1, queue=5, wait="60s"), clock=VirtualClock.running()
        )
        for _ in range(20):
            gate = asyncio.Event()
            holder = asyncio.create_task(policy.acall(gate.wait))
            await asyncio.sleep(0.1)
            waiter = asyncio.create_task(policy.acall(asyncio.sleep, 0))
            await asyncio.sleep(0.1)
            if when == "before":
                waiter.cancel()
            gate.set()
            await holder
            # The slot was handed to the waiter in the very turn in which it is cancelled.
            waiter.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiter
        assert policy.stats().in_flight == 0
        assert policy.stats().waiting == 0

    run_virtual(scenario())


def test_what_a_call_sets_in_context_variables_is_kept() -> None:
    """The call runs in the caller's task, whatever parts there are."""
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")

    async def scenario() -> None:
        policy = Policy(
            deadline=Deadline("5s"), attempt_timeout=AttemptTimeout(within="1s"), retry=Retry(),
            breaker=Breaker(), bulkhead=Bulkhead(), hedge=Hedge(after="500ms"),
            clock=VirtualClock.running(),
        )  # fmt: skip
        task = asyncio.current_task()

        async def call() -> None:
            assert asyncio.current_task() is task
            variable.set("kept")

        await policy.acall(call)
        assert variable.get() == "kept"

    run_virtual(scenario())


def test_a_wall_clock_that_is_set_back_changes_nothing(
    world: "World", flaky: Callable[..., "Flaky"]
) -> None:
    policy = world.policy(
        breaker=Breaker(failures=1, open="10s", successes=1),
        rate_limit=RateLimit(rate=1.0, burst=9),
    )
    broken = flaky(1)
    with pytest.raises(ConnectionError):
        world.call(policy, broken)
    world.clock.set_wall(0.0)
    world.clock.advance(9)
    with pytest.raises(CircuitOpen):
        world.call(policy, broken)
    world.clock.set_wall(4e9)
    with pytest.raises(CircuitOpen):
        world.call(policy, broken)
    world.clock.advance(1)
    assert world.call(policy, broken) == "answer"


def test_an_attempt_timeout_counts_as_a_failure_and_the_callers_impatience_does_not() -> None:
    async def scenario() -> None:
        clock = VirtualClock.running()
        policy = Policy(
            breaker=Breaker(failures=3), attempt_timeout=AttemptTimeout(within="1s"), clock=clock
        )
        for _ in range(5):
            with pytest.raises(DeadlineExceeded):
                async with deadline("500ms", clock=clock):
                    await policy.acall(asyncio.sleep, 10)
        assert policy.stats().failures_in_a_row == 0
        for _ in range(3):
            with pytest.raises(AttemptTimedOut):
                await policy.acall(asyncio.sleep, 10)
        assert policy.breaker.state is State.OPEN

    run_virtual(scenario())
