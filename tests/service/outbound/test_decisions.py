"""What is decided after an attempt: whose time it was, what is learnt, and whether to go on."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from mainstay import AttemptTimeout, Breaker, Deadline, Fallback, Policy, Retry, deadline
from mainstay.core.errors import DeadlineExceeded
from mainstay.service.outbound.events import GaveUp, TimedOut
from mainstay.testing import Recorder, VirtualClock, run_virtual

if TYPE_CHECKING:
    from tests.service.outbound.conftest import Flaky, World

Make = Callable[..., "Flaky"]


@pytest.mark.parametrize(("own_s", "callers_s", "by"), [(1, 2, "deadline"), (2, 1, "caller")])
def test_whose_time_is_up_decides_what_counts_and_neither_is_tried_again(
    own_s: float, callers_s: float, by: str
) -> None:
    """The end of our own deadline is a failure of the dependency, that of the caller's is not."""

    async def scenario() -> None:
        clock, recorder, attempts = VirtualClock.running(), Recorder(), 0
        retry = Retry(on=Exception, attempts=3, backoff=(0, 0))
        policy = Policy(deadline=Deadline(own_s), breaker=Breaker(), retry=retry, clock=clock)
        policy.events.add(recorder)

        async def slow() -> None:
            nonlocal attempts
            attempts += 1
            await asyncio.sleep(9.0)

        # Not `async with`, which would cut the call off by itself.
        with pytest.raises(DeadlineExceeded), deadline(callers_s, clock=clock):
            await policy.acall(slow)
        assert attempts == 1
        assert recorder.only(TimedOut).by == by
        assert recorder.count(GaveUp) == 0
        assert policy.stats().failures_in_a_row == (1 if by == "deadline" else 0)

    run_virtual(scenario())


@pytest.mark.parametrize(("shadow", "calls"), [(False, 1), (True, 3)])
def test_a_breaker_that_only_watches_ends_no_retries(
    world: "World",
    flaky: Make,
    shadow: bool,  # noqa: FBT001  A parameter of the test.
    calls: int,
) -> None:
    policy = world.policy(
        breaker=Breaker(failures=1, open="9s", shadow=shadow), retry=Retry(attempts=3)
    )
    called = flaky(9)
    with pytest.raises(ConnectionError):
        world.call(policy, called)
    assert called.calls == calls


def test_an_attempt_that_could_not_finish_is_not_paused_for(world: "World", flaky: Make) -> None:
    """With ``least`` half a second, a second attempt 0.6 s into the one second has too little."""
    policy = world.policy(
        deadline=Deadline("1s"), attempt_timeout=AttemptTimeout(within="1s", least="500ms"),
        retry=Retry(attempts=3, backoff=(0.6, 0.6), jitter="none"),
    )  # fmt: skip
    called, began_s = flaky(9), world.clock.monotonic_s()
    with pytest.raises(ConnectionError):
        world.call(policy, called)
    assert called.calls == 1
    assert world.clock.monotonic_s() == began_s
    assert world.recorder.only(GaveUp).reason == "deadline"


def test_a_result_that_counts_as_a_failure_is_neither_kept_nor_learnt_from(world: "World") -> None:
    policy = world.policy(
        fallback=Fallback(last_good=5), attempt_timeout=AttemptTimeout(),
        breaker=Breaker(failures=99, on_result=lambda one: one == "bad"),
    )  # fmt: skip
    answers = iter(["good", "bad", None])

    def ask() -> str:
        answer = next(answers)
        if answer is None:
            raise ConnectionError
        return answer

    assert policy.plan.latency is not None
    asked = world.wrap(ask)
    found = [world.invoke(policy, asked) for _ in range(3)]
    assert found == ["good", "bad", "good"]
    assert policy.plan.latency.count() == 1
