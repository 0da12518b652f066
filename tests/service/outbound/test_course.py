"""What is counted when a call ends."""

from typing import Any

import pytest

from mainstay import Breaker, Policy, Retry
from mainstay.service.outbound.events import Attempted
from mainstay.service.outbound.plan import Parts
from mainstay.testing import Recorder, VirtualClock

BROKEN: dict[str, dict[str, Any]] = {
    "breaker on": {"breaker": {"on": "predicate"}},
    "breaker ignore": {"breaker": {"ignore": "predicate"}},
    "breaker on_result": {"breaker": {"on_result": "predicate"}},
    "retry on_result": {"retry": {"on_result": "predicate"}},
    "retry on": {"retry": {"on": "predicate"}},
}
"""Where a predicate of the user's is asked: part and option."""


@pytest.mark.parametrize("where", BROKEN)
def test_a_predicate_that_raises_keeps_no_probe(where: str) -> None:
    """A mistake in it must not shut the dependency out until the lease of the probe ends."""
    broken, clock = False, VirtualClock()

    def predicate(outcome: object) -> bool:
        if broken:
            raise KeyError("mistake")
        return isinstance(outcome, ConnectionError) and "ignore" not in where

    def options(part: str) -> dict[str, Any]:
        return dict.fromkeys(BROKEN[where].get(part, ()), predicate)

    breaker: dict[str, Any] = {"failures": 1, "open": "1s", "open_max": "1s", "successes": 1}
    policy = Policy(
        breaker=Breaker(**breaker, **options("breaker")),
        retry=Retry(attempts=2, **options("retry")), clock=clock,
    )  # fmt: skip

    def fail() -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        policy.call(fail)
    clock.sleep(1.0)
    broken = True
    with pytest.raises(KeyError):
        policy.call(int if "result" in where else fail)
    broken = False
    clock.sleep(1.0)
    assert policy.call(int) == 0
    assert policy.stats().state == "closed"


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
