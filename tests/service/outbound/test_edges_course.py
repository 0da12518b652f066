"""What is told of the course of a call, to the word: who counts events reads each field."""

import asyncio
import itertools
from typing import Any

import pytest
from tests.service.outbound.told import NAME, Heard, retry

from mainstay import (
    AttemptTimeout,
    Breaker,
    Deadline,
    Policy,
    deadline,
)
from mainstay.core.clock import SystemClock
from mainstay.core.errors import AttemptTimedOut, DeadlineExceeded
from mainstay.core.scope import new_scope
from mainstay.service.outbound.breaker.circuit import State
from mainstay.service.outbound.course import (
    done_by_s,
    names_within,
    no_time,
    sooner_s,
)
from mainstay.testing import VirtualClock, run_virtual

TIMED: dict[str, Any] = {"attempt_timeout": AttemptTimeout(within=5.0)}


def test_failures_pauses_and_the_answer() -> None:
    heard = Heard(retry=retry(), **TIMED)
    call = heard.taking(0.01, ConnectionError(), OSError(), "answer")
    assert heard.policy.call(call) == "answer"
    assert heard.told() == [
        ("Attempted", 1, "failure", 0.01),
        ("Retried", 1, 0.1, "ConnectionError"),
        ("Attempted", 2, "failure", 0.01),
        ("Retried", 2, 0.2, "OSError"),
        ("Attempted", 3, "success", 0.01),
    ]


def test_results_that_are_tried_again() -> None:
    heard = Heard(retry=retry(on_result=lambda one: one == "no"), breaker=Breaker(), **TIMED)
    assert heard.policy.call(heard.taking(0.01, "no", "yes")) == "yes"
    assert heard.told() == [
        ("Attempted", 1, "success", 0.01),
        ("Retried", 1, 0.1, "result"),
        ("Attempted", 2, "success", 0.01),
    ]


def test_results_that_are_failures() -> None:
    heard = Heard(breaker=Breaker(failures=1, on_result=lambda one: one == "no"), **TIMED)
    assert heard.policy.call(heard.taking(0.01, "no")) == "no"
    assert heard.told() == [
        ("CircuitChanged", State.CLOSED, State.OPEN),
        ("Attempted", 1, "failure", 0.01),
    ]
    assert heard.policy.plan.circuit is not None
    # It is open for 60 s from the failure on.
    assert heard.policy.plan.circuit.opened_until_s() == heard.clock.monotonic_s() + 60.0


def test_what_is_no_failure_and_what_is_cancelled() -> None:
    heard = Heard(breaker=Breaker(), **TIMED)
    with pytest.raises(KeyError):
        heard.policy.call(heard.taking(0.01, KeyError("a mistake")))
    with pytest.raises(asyncio.CancelledError):
        heard.policy.call(heard.taking(0.01, asyncio.CancelledError()))
    assert heard.told() == [
        ("Attempted", 1, "ignored", 0.01),
        ("Attempted", 1, "cancelled", 0.01),
    ]


def test_why_there_is_no_further_attempt() -> None:
    heard = Heard(retry=retry(attempts=2))
    with pytest.raises(ConnectionError):
        heard.policy.call(heard.taking(0.01, ConnectionError()))
    assert heard.told()[-1] == ("GaveUp", 2, "attempts")
    heard = Heard(retry=retry(budget=0.001, budget_floor=0.001))
    with pytest.raises(ConnectionError):
        heard.policy.call(heard.taking(0.01, ConnectionError()))
    assert heard.told()[1:] == [("BudgetSpent", "retry"), ("GaveUp", 1, "budget")]
    with pytest.raises(ConnectionError):
        heard.policy.once.call(heard.taking(0.01, ConnectionError()))
    assert heard.told()[-1] == ("GaveUp", 1, "unsafe")


def test_a_layer_within_another_that_retries() -> None:
    inner = Heard(retry=retry())
    outer = Policy(name="outer", retry=retry(attempts=2), clock=inner.clock)
    with pytest.raises(ConnectionError):
        outer.call(lambda: inner.policy.call(inner.taking(0.0, ConnectionError())))
    assert inner.told() == [("Attempted", 1, "failure", 0.0), ("GaveUp", 1, "nested")] * 2


@pytest.mark.parametrize(
    ("parts", "callers_s", "by", "words"),
    [
        ({"attempt_timeout": AttemptTimeout(within=0.5)}, 9.0, "attempt", "longer than 0.5 s"),
        ({"deadline": Deadline(0.5)}, 9.0, "deadline",
         ": not done by its deadline; the last attempt had 0.5 s"),
        ({"deadline": Deadline(9.0)}, 0.5, "caller",
         "by the deadline of its caller; the last attempt had 0.5 s"),
    ],
)  # fmt: skip
def test_whose_time_was_up(parts: dict[str, Any], callers_s: float, by: str, words: str) -> None:
    heard = Heard(breaker=Breaker(failures=1), **parts)

    async def call() -> BaseException:
        with (
            deadline(callers_s, clock=heard.clock),
            pytest.raises((AttemptTimedOut, DeadlineExceeded)) as caught,
        ):
            await heard.policy.acall(asyncio.sleep, 30.0)
        return caught.value

    error = run_virtual(call(), clock=heard.clock)
    assert words in str(error)
    assert getattr(error, "begun", True) is True
    told = heard.told()
    assert ("TimedOut", 0.5, by) in told
    assert ("Attempted", 1, "timeout", 0.5) in told
    # An impatient caller proves nothing.
    assert heard.policy.breaker.state is (State.CLOSED if by == "caller" else State.OPEN)


def test_a_success_at_the_end_of_a_pause_that_used_up_the_time() -> None:
    """Exactly as much as is needed is too little; a moment more is enough."""
    for total_s, attempts in ((0.11, 1), (0.12, 2)):
        heard = Heard(
            deadline=Deadline(total_s),
            retry=retry(attempts=2),
            attempt_timeout=AttemptTimeout(within=1.0, least=0.01),
        )
        with pytest.raises(ConnectionError):
            heard.policy.call(heard.taking(0.0, ConnectionError()))
        assert heard.recorder.all()
        assert sum(one[0] == "Attempted" for one in heard.told()) == attempts


def test_decorrelated_pauses_grow_from_the_last_one() -> None:
    heard = Heard(retry=retry(attempts=20, jitter="decorrelated", backoff=(0.1, 100.0)))
    with pytest.raises(ConnectionError):
        heard.policy.call(heard.taking(0.0, ConnectionError()))
    pauses = [float(str(one[2])) for one in heard.told() if one[0] == "Retried"]
    assert max(pauses) > 0.9
    assert all(later <= max(0.1, 3 * pause) for pause, later in itertools.pairwise(pauses))


@pytest.mark.parametrize(
    ("left_s", "words"),
    [(0.25, "0.25 s are left"), (0.0, "no time is left"), (-1.0, "no time is left")],
)
def test_a_call_that_cannot_begin(left_s: float, words: str) -> None:
    heard = Heard()
    error = no_time(heard.policy.plan, left_s)
    assert str(error) == f"{NAME}: {words}; nothing was sent"
    assert error.begun is False
    assert heard.told() == [("Rejected", "deadline", None, False)]


def test_the_sooner_of_two_ends() -> None:
    heard = Heard(deadline=Deadline(2.0))
    plan, now_s = heard.policy.plan, heard.clock.monotonic_s()
    ours = new_scope(heard.clock, now_s + 1.0, (), None)
    assert done_by_s(plan, None) == now_s + 2.0
    assert done_by_s(plan, ours) == now_s + 1.0
    assert done_by_s(Heard().policy.plan, None) == float("inf")
    assert sooner_s(plan, ours, now_s + 5.0) == now_s + 1.0
    assert sooner_s(plan, ours, now_s + 0.5) == now_s + 0.5
    other = SystemClock()
    theirs = new_scope(other, other.monotonic_s() + 100.0, (), None)
    # By another clock it counts what is left there.
    assert sooner_s(plan, theirs, now_s + 500.0) == pytest.approx(now_s + 100.0, abs=60.0)


def test_the_names_of_the_layers_that_retry() -> None:
    clock = VirtualClock()
    within = new_scope(clock, float("inf"), ("outer",), None)
    alone = new_scope(clock, float("inf"), (), None)
    assert names_within(Heard(retry=retry()).policy.plan, within) == ("outer",)
    assert names_within(Heard(retry=retry(within=("outer",))).policy.plan, within) == (
        "outer",
        NAME,
    )
    assert names_within(Heard(retry=retry()).policy.plan, alone) == (NAME,)
    assert names_within(Heard().policy.plan, within) == ("outer",)


def test_a_client_that_ends_by_itself_with_its_callers_time_proves_nothing() -> None:
    heard = Heard(breaker=Breaker(failures=1), **TIMED)
    with deadline(0.5, clock=heard.clock), pytest.raises(TimeoutError):
        heard.policy.call(heard.taking(0.5, TimeoutError()))
    assert heard.told() == [("Attempted", 1, "ignored", 0.5)]


@pytest.mark.parametrize(
    "on", [AttemptTimedOut, lambda error: type(error) is TimeoutError], ids=["ours", "theirs"]
)
def test_one_that_ends_with_its_attempts_time_is_slow_by_either_name(on: Any) -> None:
    heard = Heard(breaker=Breaker(failures=1, on=on), attempt_timeout=AttemptTimeout(within=0.5))
    with pytest.raises(TimeoutError):
        heard.policy.call(heard.taking(0.5, TimeoutError()))
    assert ("Attempted", 1, "failure", 0.5) in heard.told()


def test_a_mistake_after_the_attempts_time_is_a_mistake() -> None:
    heard = Heard(breaker=Breaker(failures=1), attempt_timeout=AttemptTimeout(within=0.5))
    with pytest.raises(KeyError):
        heard.policy.call(heard.taking(0.6, KeyError()))
    assert heard.told() == [("Attempted", 1, "ignored", 0.6)]
