"""Hedging: the first answer wins, the other attempt is cancelled, and the budget pays."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from mainstay import AttemptTimeout, Breaker, Hedge, Policy, Retry
from mainstay.core.errors import AttemptTimedOut
from mainstay.service.outbound.events import BudgetSpent, HedgeStarted, HedgeWon
from mainstay.testing import Recorder, VirtualClock, run_virtual


class Attempts:
    """Each attempt takes the next time, and raises or answers its number."""

    def __init__(self, *plan: float | tuple[float, Exception]) -> None:
        self.plan = list(plan)
        self.begun = 0
        self.cancelled: list[int] = []

    async def __call__(self) -> int:
        step = self.plan[self.begun]
        self.begun += 1
        nth = self.begun
        seconds, error = step if isinstance(step, tuple) else (step, None)
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            self.cancelled.append(nth)
            raise
        if error is not None:
            raise error
        return nth


def hedged(
    scenario: Callable[[Policy, Recorder, VirtualClock], Coroutine[Any, Any, None]], **parts: Any
) -> None:
    async def main() -> None:
        clock, recorder = VirtualClock.running(), Recorder()
        policy = Policy(**{"hedge": Hedge(after="100ms"), "clock": clock, **parts})
        policy.events.add(recorder)
        tasks = asyncio.all_tasks()
        await scenario(policy, recorder, clock)
        assert asyncio.all_tasks() == tasks
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0

    run_virtual(main())


def test_a_quick_attempt_is_not_hedged() -> None:
    async def scenario(policy: Policy, recorder: Recorder, clock: VirtualClock) -> None:
        attempts = Attempts(0.05)
        assert await policy.acall(attempts) == 1
        assert attempts.begun == 1

    hedged(scenario)


def test_the_second_answers_first_and_the_first_is_cancelled() -> None:
    async def scenario(policy: Policy, recorder: Recorder, clock: VirtualClock) -> None:
        attempts, began_s = Attempts(9.0, 0.2), clock.monotonic_s()
        assert await policy.acall(attempts) == 2
        assert clock.monotonic_s() - began_s == pytest.approx(0.3)
        assert attempts.cancelled == [1]
        assert recorder.count(HedgeWon) == 1

    hedged(scenario)


def test_the_first_answers_first_and_the_second_is_cancelled() -> None:
    async def scenario(policy: Policy, recorder: Recorder, clock: VirtualClock) -> None:
        attempts = Attempts(0.2, 9.0)
        assert await policy.acall(attempts) == 1
        assert attempts.cancelled == [2]
        assert (recorder.count(HedgeStarted), recorder.count(HedgeWon)) == (1, 0)

    hedged(scenario)


def test_when_the_first_fails_the_second_is_waited_for() -> None:
    async def scenario(policy: Policy, recorder: Recorder, clock: VirtualClock) -> None:
        assert await policy.acall(Attempts((0.2, ConnectionError()), 1.0)) == 2

    hedged(scenario)


def test_when_the_second_fails_the_first_goes_on() -> None:
    async def scenario(policy: Policy, recorder: Recorder, clock: VirtualClock) -> None:
        assert await policy.acall(Attempts(1.0, (0.2, ConnectionError()))) == 1

    hedged(scenario)


def test_when_both_fail_the_first_error_is_raised_and_counts_once() -> None:
    async def scenario(policy: Policy, recorder: Recorder, clock: VirtualClock) -> None:
        first = ConnectionError("first")
        with pytest.raises(ConnectionError) as caught:
            await policy.acall(Attempts((0.2, first), (0.5, OSError("second"))))
        assert caught.value is first
        assert policy.stats().failures_in_a_row == 1

    hedged(scenario, breaker=Breaker())


def test_both_in_the_same_turn_is_one_answer() -> None:
    async def scenario(policy: Policy, recorder: Recorder, clock: VirtualClock) -> None:
        for _ in range(5):
            assert await policy.acall(Attempts(0.3, 0.2)) in {1, 2}

    hedged(scenario)


def test_hedges_are_charged_to_the_budget() -> None:
    async def scenario(policy: Policy, recorder: Recorder, clock: VirtualClock) -> None:
        begun = 0

        async def slow() -> None:
            nonlocal begun
            begun += 1
            await asyncio.sleep(0.5)

        await asyncio.gather(*(policy.acall(slow) for _ in range(100)))
        assert begun == 120
        assert recorder.count(BudgetSpent, by="hedge") == 80

    hedged(scenario, retry=Retry(attempts=2, budget=0.2, budget_floor=0.0))


def test_the_attempt_timeout_bounds_both() -> None:
    async def scenario(policy: Policy, recorder: Recorder, clock: VirtualClock) -> None:
        attempts, began_s = Attempts(9.0, 9.0), clock.monotonic_s()
        with pytest.raises(AttemptTimedOut):
            await policy.acall(attempts)
        assert clock.monotonic_s() - began_s == pytest.approx(1.0)
        assert sorted(attempts.cancelled) == [1, 2]

    hedged(scenario, attempt_timeout=AttemptTimeout(within="1s"))


def test_calls_that_must_not_be_made_twice_are_not_hedged() -> None:
    async def scenario(policy: Policy, recorder: Recorder, clock: VirtualClock) -> None:
        attempts = Attempts(1.0, 1.0)
        assert await policy.once.acall(attempts) == 1
        assert attempts.begun == 1
        assert recorder.count(HedgeStarted) == 0
        # The same call may be made twice elsewhere.
        await policy.acall(Attempts(1.0, 1.0))
        assert recorder.count(HedgeStarted) == 1

    hedged(scenario)


def test_a_percentile_hedges_about_as_many_as_it_says() -> None:
    async def scenario(policy: Policy, recorder: Recorder, clock: VirtualClock) -> None:
        for nth in range(2000):
            await policy.acall(asyncio.sleep, 0.01 + 0.001 * (nth % 100))
        begun = recorder.count(HedgeStarted)
        # The sketch's buckets are 19 % wide: somewhere about one in ten, and far from all or none.
        assert 0.02 * 2000 < begun < 0.25 * 2000

    hedged(scenario, hedge=Hedge(after="p90"), retry=Retry(budget=None))
