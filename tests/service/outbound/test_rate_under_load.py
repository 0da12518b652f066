"""A rate limit whose callers have little time, or go away: what it lets through is still used."""

import asyncio
import contextlib
from collections.abc import Iterator

import pytest

from mainstay import AttemptTimeout, Deadline, Policy, RateLimit, deadline
from mainstay.core.errors import DeadlineExceeded, RateLimited
from mainstay.testing import VirtualClock, run_virtual


@pytest.mark.parametrize("per_s", [12, 100])
def test_with_a_deadline_nearer_than_the_wait_the_rate_is_still_reached(per_s: int) -> None:
    """Calls whose turn would come too late must not take it from those who come later."""

    async def scenario() -> list[int]:
        policy = Policy(
            rate_limit=RateLimit(rate="10/s", wait="5s"),
            deadline=Deadline("1s"),
            clock=VirtualClock.running(),
        )
        answered = [0] * 20

        async def call(second: int) -> None:
            with contextlib.suppress(DeadlineExceeded, RateLimited):
                await policy.acall(asyncio.sleep, 0)
                answered[second] += 1

        tasks = []
        for nth in range(20 * per_s):
            tasks.append(asyncio.ensure_future(call(nth // per_s)))
            await asyncio.sleep(1 / per_s)
        await asyncio.gather(*tasks)
        return answered

    answered = run_virtual(scenario())
    assert min(answered[:-1]) >= 8
    assert sum(answered) == pytest.approx(200, abs=12)


def test_waiters_that_are_cancelled_give_their_turns_back() -> None:
    async def scenario() -> None:
        clock = VirtualClock.running()
        policy = Policy(rate_limit=RateLimit(rate="10/s", wait="5s"), clock=clock)

        async def body() -> None:
            async with policy:
                pass

        calls = [policy.acall(asyncio.sleep, 0) for _ in range(25)] + [body() for _ in range(25)]
        tasks = [asyncio.ensure_future(call) for call in calls]
        await asyncio.sleep(0.01)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        began_s = clock.monotonic_s()
        await policy.acall(asyncio.sleep, 0)
        assert clock.monotonic_s() - began_s == pytest.approx(0.09)

    run_virtual(scenario())


class Interrupted(VirtualClock):
    """Its sleeper is interrupted, as by Ctrl-C, while ``on``."""

    on = True

    def sleep(self, seconds: float) -> None:
        if self.on:
            raise KeyboardInterrupt
        super().sleep(seconds)


def test_a_waiting_thread_that_is_interrupted_gives_its_turn_back() -> None:
    clock = Interrupted()
    policy = Policy(rate_limit=RateLimit(rate="10/s", wait="5s"), clock=clock)
    policy.call(int)
    for _ in range(5):
        with pytest.raises(KeyboardInterrupt):
            policy.call(int)
        with pytest.raises(KeyboardInterrupt), policy:
            pass
    clock.on, began_s = False, clock.monotonic_s()
    policy.call(int)
    assert clock.monotonic_s() - began_s == pytest.approx(0.1)


def expired() -> Iterator[Policy]:
    for bound in (None, AttemptTimeout(within="1s", least="600ms")):
        yield Policy(rate_limit=RateLimit(rate="1/s"), attempt_timeout=bound, clock=VirtualClock())


def test_a_call_without_time_takes_no_turn() -> None:
    for policy in expired():
        for _ in range(3):
            with (
                deadline("0s" if policy.plan.bound is None else "500ms", clock=policy.plan.clock),
                pytest.raises(DeadlineExceeded),
            ):
                policy.call(int)
        assert policy.call(int) == 0
