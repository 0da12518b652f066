"""What is said when a further attempt can't begin: earlier ones did leave."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from mainstay import Breaker, Deadline, Policy, Retry
from mainstay.service.outbound.events import GaveUp, Rejected
from mainstay.testing import Recorder, VirtualClock

if TYPE_CHECKING:
    from tests.service.outbound.conftest import Flaky, World

Make = Callable[..., "Flaky"]


class Oversleeping(VirtualClock):
    """Sleeps longer than it is told, as a busy machine does, and something happens meanwhile."""

    def __init__(self, meanwhile: Callable[[], object]) -> None:
        super().__init__()
        self._meanwhile = meanwhile

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds + 0.6)
        self._meanwhile()


def policy_with(clock: VirtualClock, recorder: Recorder, retry: Retry | None = None) -> Policy:
    policy = Policy(
        deadline=Deadline("1s"), breaker=Breaker(),
        retry=retry or Retry(attempts=3, backoff=(0.5, 0.5), jitter="none"), clock=clock,
    )  # fmt: skip
    policy.events.add(recorder)
    return policy


def test_when_the_time_is_over_after_the_pause_the_last_error_is_raised(flaky: Make) -> None:
    """DeadlineExceeded with ``begun=False`` would say that nothing was sent."""
    error, recorder = ConnectionResetError("after it was sent"), Recorder()
    policy = policy_with(Oversleeping(lambda: None), recorder)
    called = flaky(9, error)
    with pytest.raises(ConnectionResetError) as caught:
        policy.call(called)
    assert caught.value is error
    assert called.calls == 1
    assert recorder.only(GaveUp).reason == "deadline"
    assert recorder.count(Rejected) == 0


@pytest.mark.parametrize("forced", [True, False])
def test_when_the_circuit_opens_in_the_pause_the_last_error_is_raised(
    forced: bool,  # noqa: FBT001  A parameter of the test.
    flaky: Make,
) -> None:
    def opens() -> None:
        if forced:
            policy.breaker.force_open()
            return
        for _ in range(4):
            with pytest.raises(ConnectionError):
                policy.once.call(flaky(9))

    recorder = Recorder()
    clock = Oversleeping(opens)
    policy = policy_with(clock, recorder, Retry(attempts=3, backoff=(0.1, 0.1), jitter="none"))
    error = ConnectionResetError("after it was sent")
    called = flaky(9, error)
    with pytest.raises(ConnectionResetError) as caught:
        policy.call(called)
    assert caught.value is error
    assert called.calls == 1
    assert recorder.count(GaveUp, reason="breaker") == 1
    assert recorder.count(Rejected) == 0


def test_a_result_that_was_to_be_tried_again_is_returned_when_there_is_no_time() -> None:
    recorder = Recorder()
    retry = Retry(
        attempts=3, backoff=(0.5, 0.5), jitter="none", on_result=lambda one: one == "busy"
    )
    policy = policy_with(Oversleeping(lambda: None), recorder, retry)
    assert policy.call(lambda: "busy") == "busy"
    assert recorder.only(GaveUp).reason == "deadline"


def test_the_asynchronous_shell_says_the_same(world: "World", flaky: Make) -> None:
    """Both ways: the circuit is forced open by whoever hears of the retry, before the pause."""
    error = ConnectionResetError("after it was sent")
    policy = world.policy(retry=Retry(attempts=3), breaker=Breaker())

    def hear(event: object) -> None:
        if type(event).__name__ == "Retried":
            policy.breaker.force_open()

    policy.events.add(hear)
    called = flaky(9, error)
    with pytest.raises(ConnectionResetError) as caught:
        world.call(policy, called)
    assert caught.value is error
    assert called.calls == 1
