"""How ends of attempts are told apart, under a clock that stands still."""

import pytest

from mainstay import AttemptTimeout, Breaker, Bulkhead, Deadline, Policy, Retry, deadline
from mainstay.core.errors import AttemptTimedOut, DeadlineExceeded, PolicyMisused
from mainstay.service.outbound.adapters.held import bulkhead_of, started, unhurried, within_place
from mainstay.service.outbound.adapters.outcome import (
    Answered,
    NotServed,
    ServerFailed,
    allowed_s,
    judging_results,
    opened,
    timed_out,
)
from mainstay.service.outbound.retry.retry import never_sent
from mainstay.testing import VirtualClock


def test_an_answer_is_raised_without_its_former_traceback() -> None:
    error = KeyError("a")
    lengths = []
    for _ in range(3):
        with pytest.raises(KeyError) as caught:
            opened(Answered(error))
        lengths.append(len(caught.traceback))
    assert lengths[0] == lengths[2]
    assert opened("answer") == "answer"


def test_results_alone_are_judged() -> None:
    """By retry and breaker alike, and where nobody judges the plan is the same."""
    shown: list[object] = []

    def judge(result: object) -> bool:
        shown.append(result)
        return True

    policy = Policy(name="store", retry=Retry(on_result=judge), breaker=Breaker(on_result=judge))
    plan = judging_results(policy.plan)
    for judges in (plan.retries_result, plan.fails_result):
        assert judges is not None
        assert not judges(Answered(KeyError("a")))
        assert judges("answer")
    assert shown == ["answer"] * 2
    one = judging_results(Policy(name="store", breaker=Breaker(on_result=judge)).plan)
    assert one.retries_result is None
    bare = Policy(name="store", retry=Retry()).plan
    assert judging_results(bare) is bare


def test_what_is_allowed_is_the_least() -> None:
    clock = VirtualClock()
    assert allowed_s(2.0) == 2.0
    with deadline(0.5, clock=clock):
        assert allowed_s(2.0) == 0.5
        assert allowed_s(0.1) == 0.1


def test_whose_time_was_up() -> None:
    clock = VirtualClock()
    policy = Policy(name="store", clock=clock, attempt_timeout=AttemptTimeout(within=0.3))
    plan = policy.plan
    own = timed_out(plan, began_s=plan.now(), after_s=2.0)
    assert isinstance(own, AttemptTimedOut)
    assert own.after_s == 2.0
    with deadline(0.0, clock=clock):
        late = timed_out(plan, began_s=plan.now(), after_s=2.0)
        assert isinstance(late, DeadlineExceeded)
        attempts = timed_out(plan, began_s=plan.now() - 0.3, after_s=2.0)
        assert isinstance(attempts, AttemptTimedOut)
        assert attempts.after_s == 0.3


def test_what_was_never_sent_says_so() -> None:
    plan = Policy(name="store", clock=VirtualClock()).plan
    assert never_sent(timed_out(plan, began_s=0.0, after_s=1.0, begun=False))
    assert not never_sent(timed_out(plan, began_s=0.0, after_s=1.0))
    assert never_sent(NotServed("store"))
    assert not never_sent(ServerFailed("store", "INTERNAL"))


def test_policies_made_from_another_follow_it() -> None:
    policy = Policy(name="store", bulkhead=Bulkhead(limit=3), deadline=Deadline("2s"))
    within, slow, stream = within_place(policy), unhurried(policy), started(policy)
    assert (within.plan.slots, within.plan.total_s) == (None, 2.0)
    assert (slow.plan.slots, slow.plan.total_s) == (policy.plan.slots, None)
    assert (stream.plan.slots, stream.plan.total_s) == (policy.plan.slots, None)
    policy.update(Policy(deadline=Deadline("5s"), bulkhead=Bulkhead(limit=4)).plan.parts)
    assert within.plan.total_s == 5.0
    assert bulkhead_of(stream, "a stream") == 4
    with pytest.raises(PolicyMisused, match="a cache client needs a bulkhead"):
        bulkhead_of(Policy(name="store"), "a cache client")
