"""What a policy does not let out: by its circuit, its bulkhead and its rate limit."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from mainstay import (
    Breaker,
    Policy,
    RateLimit,
    Retry,
    deadline,
)
from mainstay.core.errors import (
    CircuitOpen,
    DeadlineExceeded,
    RateLimited,
)
from mainstay.service.outbound.events import (
    CircuitChanged,
    GaveUp,
    Probed,
    Rejected,
)
from mainstay.testing import VirtualClock

if TYPE_CHECKING:
    from tests.service.outbound.conftest import Flaky, World

Make = Callable[..., "Flaky"]


def test_the_circuit_opens_rejects_probes_and_closes(world: "World", flaky: Make) -> None:
    broken = flaky(3)
    policy = world.policy(breaker=Breaker(failures=3, open="10s", successes=2))
    for _ in range(3):
        with pytest.raises(ConnectionError):
            world.call(policy, broken)
    with pytest.raises(CircuitOpen) as caught:
        world.call(policy, broken)
    assert caught.value.retry_after_s == pytest.approx(10)
    assert caught.value.policy == "dependency"
    assert "the circuit is open; try again in 10 s" in str(caught.value)
    world.clock.advance(10)
    assert [world.call(policy, broken) for _ in range(2)] == ["answer"] * 2
    assert broken.calls == 5
    states = [change.state.value for change in world.recorder.of(CircuitChanged)]
    assert states == ["open", "half_open", "closed"]
    assert world.recorder.count(Probed) == 2


def test_an_open_circuit_is_not_retried_against(world: "World", flaky: Make) -> None:
    broken = flaky(9)
    policy = world.policy(retry=Retry(attempts=5), breaker=Breaker(failures=2))
    with pytest.raises(ConnectionError):
        world.call(policy, broken)
    assert broken.calls == 2
    assert world.recorder.only(GaveUp).reason == "breaker"


def test_the_operator_forces_it_open_disables_it_and_lets_it_watch(
    world: "World", flaky: Make
) -> None:
    broken = flaky(10**6)
    policy = world.policy(breaker=Breaker(failures=1))
    policy.breaker.force_open()
    with pytest.raises(CircuitOpen) as caught:
        world.call(policy, broken)
    assert caught.value.retry_after_s is None
    for loosen in (policy.breaker.disable, policy.breaker.shadow):
        loosen()
        for _ in range(3):
            with pytest.raises(ConnectionError):
                world.call(policy, broken)
    assert world.recorder.count(Rejected, shadow=True) == 2
    policy.breaker.enforce()
    with pytest.raises(CircuitOpen):
        world.call(policy, broken)
    policy.breaker.reset()
    with pytest.raises(ConnectionError):
        world.call(policy, broken)


def test_too_many_calls_are_rejected_or_wait_for_their_turn(world: "World") -> None:
    strict = world.policy(rate_limit=RateLimit(rate="10/s", burst=2))
    for _ in range(2):
        world.call(strict, int)
    with pytest.raises(RateLimited) as caught:
        world.call(strict, int)
    assert caught.value.retry_after_s == pytest.approx(0.1)
    patient = world.policy(rate_limit=RateLimit(rate="10/s", wait="1s"))
    began_s = world.clock.monotonic_s()
    for _ in range(4):
        world.call(patient, int)
    assert world.clock.monotonic_s() - began_s == pytest.approx(0.3)
    with (
        deadline("50ms", clock=world.clock),
        pytest.raises(DeadlineExceeded, match="nothing was sent"),
    ):
        patient.call(int)


def test_a_rejection_beside_a_probe_does_not_say_at_once() -> None:
    """A client that heeds "in 0 s" would try in a loop."""
    clock = VirtualClock()
    policy = Policy(breaker=Breaker(failures=1, open="1s"), clock=clock)
    with pytest.raises(ConnectionError), policy:
        raise ConnectionError
    clock.sleep(1.0)
    with policy, pytest.raises(CircuitOpen) as caught:
        policy.call(int)
    assert caught.value.retry_after_s is None
    assert "try again" not in str(caught.value)
