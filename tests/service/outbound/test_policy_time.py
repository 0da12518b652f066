"""The deadline of a policy, and the bound of each attempt."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from mainstay import (
    AttemptTimeout,
    Breaker,
    Deadline,
    Policy,
    Retry,
    deadline,
    detach,
    remaining_s,
)
from mainstay.core.errors import (
    AttemptTimedOut,
    DeadlineExceeded,
)
from mainstay.service.outbound.events import (
    Attempted,
    GaveUp,
    Rejected,
    TimedOut,
)
from mainstay.testing import VirtualClock, run_virtual

if TYPE_CHECKING:
    from tests.service.outbound.conftest import Flaky, World

Make = Callable[..., "Flaky"]


def test_a_pause_that_would_end_after_the_deadline_is_not_begun(
    world: "World", flaky: Make
) -> None:
    broken = flaky(9)
    policy = world.policy(
        deadline=Deadline("1s"), retry=Retry(backoff="2s..2s", jitter="none", attempts=3)
    )
    with pytest.raises(ConnectionError):
        world.call(policy, broken)
    assert world.recorder.only(GaveUp).reason == "deadline"
    assert world.clock.monotonic_s() == broken.calls_s[0]


def test_no_attempt_begins_without_time_left(world: "World", flaky: Make) -> None:
    called = flaky(0)
    policy = world.policy(breaker=Breaker())
    with deadline("1s", clock=world.clock):
        world.clock.advance(1)
        with pytest.raises(DeadlineExceeded) as caught:
            policy.call(called)
    assert not caught.value.begun
    assert called.calls == 0
    assert world.recorder.only(Rejected).by == "deadline"


def test_no_attempt_begins_with_less_time_than_it_needs(world: "World", flaky: Make) -> None:
    called = flaky(0)
    policy = world.policy(
        deadline=Deadline("10ms"), attempt_timeout=AttemptTimeout(within="1s", least="20ms")
    )
    with pytest.raises(DeadlineExceeded, match=r"0\.01 s are left; nothing was sent"):
        world.call(policy, called)
    assert called.calls == 0


def test_a_call_sees_the_least_of_its_callers_time_and_its_own(world: "World") -> None:
    policy = world.policy(deadline=Deadline("2s"), attempt_timeout=AttemptTimeout(within="800ms"))
    short = world.policy(deadline=Deadline("300ms"))
    assert world.call(policy, remaining_s) == pytest.approx(0.8)
    assert world.call(short, remaining_s) == pytest.approx(0.3)
    with deadline("500ms", clock=world.clock):
        if world.is_async:
            return
        assert policy.call(remaining_s) == pytest.approx(0.5)
        assert short.call(remaining_s) == pytest.approx(0.3)
        with detach():
            assert policy.call(remaining_s) == pytest.approx(0.8)
    assert remaining_s() is None


def test_an_attempt_that_takes_too_long_is_cut_off_and_tried_again() -> None:
    async def scenario() -> None:
        clock = VirtualClock.running()
        policy = Policy(
            attempt_timeout=AttemptTimeout(within="1s"), retry=Retry(backoff=(0, 0)), clock=clock
        )
        times_s = iter([10.0, 10.0, 0.5])
        began_s = clock.monotonic_s()
        assert await policy.acall(lambda: asyncio.sleep(next(times_s), "done")) == "done"
        assert clock.monotonic_s() - began_s == pytest.approx(2.5)

    run_virtual(scenario())


def test_the_error_says_what_was_cut_off_and_is_a_timeout(world: "World") -> None:
    if not world.is_async:
        return
    policy = world.policy(attempt_timeout=AttemptTimeout(within="250ms"))
    with pytest.raises(AttemptTimedOut) as caught:
        world.run(policy.acall(asyncio.sleep, 10))
    assert isinstance(caught.value, TimeoutError)
    assert str(caught.value) == "dependency: the attempt took longer than 0.25 s"
    assert isinstance(caught.value.__cause__, asyncio.CancelledError)
    assert world.recorder.only(TimedOut).by == "attempt"
    assert world.recorder.only(Attempted).outcome == "timeout"


def test_auto_learns_from_the_attempts(world: "World") -> None:
    policy = world.policy(attempt_timeout=AttemptTimeout(within="auto", ceiling="10s"))
    assert policy.stats().attempt_timeout_s == 10
    for _ in range(100):
        world.invoke(policy, world.sleeper(0.1))
    assert policy.stats().attempt_timeout_s == pytest.approx(0.3, rel=0.12)
    assert policy.stats().p50_s == pytest.approx(0.1, rel=0.12)


def test_auto_grows_again_when_the_dependency_got_slower() -> None:
    """Attempts that were cut off count as long as they had, or the bound would never learn."""

    async def scenario() -> None:
        policy = Policy(
            attempt_timeout=AttemptTimeout(within="auto", ceiling="10s"),
            clock=VirtualClock.running(),
        )
        for _ in range(300):
            await policy.acall(asyncio.sleep, 0.01)
        assert (policy.stats().attempt_timeout_s or 0) < 0.06
        late = 0
        for _ in range(3000):
            try:
                await policy.acall(asyncio.sleep, 0.5)
            except AttemptTimedOut:
                late += 1
        assert 0 < late < 1500
        assert (policy.stats().attempt_timeout_s or 0) > 0.5

    run_virtual(scenario())
