"""What is counted when a call ends."""

import pytest

from mainstay import Breaker, Policy
from mainstay.service.outbound.events import Attempted
from mainstay.service.outbound.plan import Parts
from mainstay.testing import Recorder, VirtualClock

TIMED = Parts(breaker=Breaker(slow=1.0, slow_rate="50% of 2 in 10 calls"))


@pytest.mark.parametrize("error", [None, ConnectionError()])
def test_a_call_that_began_before_calls_were_timed_is_not_slow(error: Exception | None) -> None:
    """Nobody looked at the clock when it began, so nobody knows how long it took."""
    policy = Policy(breaker=Breaker(), clock=VirtualClock())

    def change(then: Exception | None) -> str:
        policy.update(TIMED)
        if then is not None:
            raise then
        return "answer"

    if error is None:
        assert policy.call(change, None) == "answer"
    else:
        with pytest.raises(ConnectionError):
            policy.call(change, error)
    assert policy.plan.circuit is not None
    counts = policy.plan.circuit.counts()
    assert (counts["slow_window_calls"], counts["slow_window_hits"]) == (1, 0)


def test_a_call_that_was_timed_and_slow_is_counted_so() -> None:
    clock = VirtualClock()
    policy = Policy(breaker=TIMED.breaker, clock=clock)
    policy.call(clock.sleep, 1.5)
    assert policy.plan.circuit is not None
    assert policy.plan.circuit.counts()["slow_window_hits"] == 1


@pytest.mark.parametrize("listens", [True, False])
def test_a_call_that_began_at_zero_is_timed_like_any_other(listens: bool) -> None:  # noqa: FBT001
    """Zero is a reading of a clock as good as any."""
    clock, recorder = VirtualClock(monotonic_s=0.0), Recorder()
    policy = Policy(breaker=TIMED.breaker, clock=clock)
    if listens:
        policy.events.add(recorder)
    policy.call(clock.sleep, 1.5)
    assert policy.plan.circuit is not None
    assert policy.plan.circuit.counts()["slow_window_hits"] == 1
    assert [event.took_s for event in recorder.of(Attempted)] == [1.5] * listens
