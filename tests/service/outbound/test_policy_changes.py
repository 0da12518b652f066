"""Changes of a policy that is in use, and what is told of its decisions."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from mainstay import (
    Breaker,
    Bulkhead,
    Policy,
    Retry,
)
from mainstay.core.errors import (
    ConfigInvalid,
    PolicyMisused,
)
from mainstay.core.events import Event
from mainstay.service.outbound.events import (
    Attempted,
)
from mainstay.service.outbound.plan import Parts
from mainstay.testing import FaultInjected, VirtualClock, faults

if TYPE_CHECKING:
    from tests.service.outbound.conftest import Flaky, World

Make = Callable[..., "Flaky"]


def test_faults_can_be_injected_for_a_while(world: "World", flaky: Make) -> None:
    policy = world.policy(retry=Retry(attempts=2, backoff=(0, 0)))
    called = flaky(0)
    with policy.fault(faults(error_rate=1.0, delay_s=3.0, clock=world.clock)):
        began_s = world.clock.monotonic_s()
        with pytest.raises(FaultInjected):
            world.call(policy, called)
        assert world.clock.monotonic_s() - began_s == pytest.approx(6.0)
    assert called.calls == 0
    assert world.call(policy, called) == "answer"


def test_faults_are_injected_as_the_guide_writes_them(world: "World", flaky: Make) -> None:
    policy = world.policy(name="payments")
    with policy.fault(error_rate=1.0, delay_s=3.0):
        began_s = world.clock.monotonic_s()
        with pytest.raises(FaultInjected):
            world.call(policy, flaky(0))
        assert world.clock.monotonic_s() - began_s == pytest.approx(3.0)
    with policy.fault(error_rate="50%", error=ConnectionResetError, seed=3):
        failed = 0
        for _ in range(100):
            try:
                world.call(policy, flaky(0))
            except ConnectionResetError:
                failed += 1
        assert 30 < failed < 70
    with pytest.raises(ConfigInvalid, match="error_rate"), policy.fault(error_rate=2.0):
        pass
    assert world.call(policy, flaky(0)) == "answer"


def test_of_nested_faults_the_inner_holds_and_then_the_outer(world: "World", flaky: Make) -> None:
    policy = world.policy()
    view = policy.once

    def error_of(one: Policy) -> str:
        try:
            world.call(one, flaky(0))
        except OSError as error:
            return type(error).__name__
        return "none"

    with policy.fault(error_rate=1, error=BrokenPipeError):
        with view.fault(error_rate=1, error=BlockingIOError):
            policy.update(Parts(retry=Retry(attempts=2)))
            assert (error_of(policy), error_of(view)) == ("BrokenPipeError", "BlockingIOError")
            with policy.fault(error_rate=1, error=InterruptedError):
                assert error_of(policy) == "InterruptedError"
            assert error_of(policy) == "BrokenPipeError"
        assert (error_of(policy), error_of(view)) == ("BrokenPipeError", "BrokenPipeError")
    assert (error_of(policy), error_of(view)) == ("none", "none")


def test_faults_that_overlap_end_each_for_itself(world: "World", flaky: Make) -> None:
    """Two threads, say: the one that began first ends first."""
    policy = world.policy()
    first, second = policy.fault(error_rate=1), policy.fault(delay_s=1.0)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert world.call(policy, flaky(0)) == "answer"
    second.__exit__(None, None, None)
    assert policy.plan.fault is None


def test_a_guarded_function_follows_a_change_of_its_policy(world: "World", flaky: Make) -> None:
    policy = world.policy(retry=Retry(attempts=2))
    guarded = policy(world.wrap(flaky(10**6)))

    def calls() -> int:
        world.recorder.clear()
        with pytest.raises(ConnectionError):
            world.run(guarded()) if world.is_async else guarded()
        return world.recorder.count(Attempted)

    assert calls() == 2
    policy.update(Parts(retry=Retry(attempts=4)))
    assert calls() == 4
    # Another shape of plan: the shell that was made for the first one does not fit any more.
    policy.update(Parts(retry=Retry(attempts=3), breaker=Breaker(), bulkhead=Bulkhead()))
    assert calls() == 3
    policy.update(Parts())
    assert calls() == 1


def test_a_change_keeps_counts_and_reaches_views(world: "World", flaky: Make) -> None:
    policy = world.policy(breaker=Breaker(failures=3), retry=Retry(attempts=2), bulkhead=Bulkhead())
    once = policy.once
    with pytest.raises(ConnectionError):
        world.call(policy, flaky(9))
    assert policy.stats().failures_in_a_row == 2
    policy.update(Parts(breaker=Breaker(failures=9), retry=Retry(attempts=5)))
    assert policy.stats().failures_in_a_row == 2
    unsent = ConnectionRefusedError()
    vars(unsent)["never_sent"] = True
    broken = flaky(9, unsent)
    with pytest.raises(ConnectionRefusedError):
        world.call(once, broken)
    assert broken.calls == 5
    with pytest.raises(PolicyMisused, match="update that one"):
        once.update(Parts())


def test_a_wrong_change_changes_nothing(world: "World") -> None:
    policy = world.policy(breaker=Breaker(failures=3))
    plan = policy.plan
    with pytest.raises(ConfigInvalid):
        policy.update(Parts(breaker=Retry()))  # type: ignore[arg-type]  # The mistake itself.
    assert policy.plan is plan


def test_without_listeners_no_event_is_made(flaky: Make) -> None:
    """Every event carries the wall's time, so that a clock can tell how many were made."""

    class Counting(VirtualClock):
        wall_reads = 0

        def wall_s(self) -> float:
            Counting.wall_reads += 1
            return super().wall_s()

    for listens in (False, True):
        policy = Policy(retry=Retry(backoff=(0, 0)), breaker=Breaker(failures=2), clock=Counting())
        if listens:
            policy.events.add(lambda _: None)
        with pytest.raises(ConnectionError):
            policy.call(flaky(9))
        assert (Counting.wall_reads > 0) is listens


def test_a_listener_that_fails_hurts_nobody(
    flaky: Make, capsys: pytest.CaptureFixture[str]
) -> None:

    def broken(event: Event) -> None:
        raise ZeroDivisionError

    policy = Policy(retry=Retry(backoff=(0, 0)))
    policy.events.add(broken)
    assert policy.call(flaky(1)) == "answer"
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_a_listener_that_comes_in_the_middle_of_a_call_is_told_no_wrong_times(
    world: "World",
) -> None:
    policy = Policy(breaker=Breaker(failures=9), clock=world.clock)

    def call() -> None:
        policy.events.add(world.recorder)
        raise ConnectionError

    with pytest.raises(ConnectionError):
        world.call(policy, call)
    assert world.recorder.only(Attempted).took_s == 0.0
