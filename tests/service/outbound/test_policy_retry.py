"""Retries of a policy: what is tried again, when, and how often."""

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING

import pytest

from mainstay import (
    Breaker,
    Policy,
    Retry,
)
from mainstay.core.errors import (
    CircuitOpen,
)
from mainstay.service.outbound.events import (
    BudgetSpent,
    GaveUp,
)
from mainstay.testing import VirtualClock, run_virtual

if TYPE_CHECKING:
    from tests.service.outbound.conftest import Flaky, World

Make = Callable[..., "Flaky"]


def test_a_failure_is_tried_again_until_it_succeeds(world: "World", flaky: Make) -> None:
    broken = flaky(2)
    policy = world.policy(retry=Retry(attempts=3, backoff="100ms..1s", jitter="none"))
    assert world.call(policy, broken, "paid") == "paid"
    first_s, second_s, third_s = broken.calls_s
    assert (second_s - first_s, third_s - second_s) == pytest.approx((0.1, 0.2))
    assert world.recorder.names() == ("Attempted", "Retried", "Attempted", "Retried", "Attempted")


def test_when_all_attempts_failed_the_last_error_is_raised(world: "World", flaky: Make) -> None:
    error = ConnectionError("this one")
    broken = flaky(9, error)
    policy = world.policy(retry=Retry(attempts=2))
    with pytest.raises(ConnectionError) as caught:
        world.call(policy, broken)
    assert caught.value is error
    assert world.recorder.only(GaveUp).reason == "attempts"
    assert broken.calls == 2


@pytest.mark.parametrize("error", [TypeError("mistake"), KeyError("mistake"), AssertionError()])
def test_mistakes_are_neither_retried_nor_counted(
    world: "World", flaky: Make, error: Exception
) -> None:
    broken = flaky(9, error)
    policy = world.policy(retry=Retry(attempts=3), breaker=Breaker(failures=1))
    with pytest.raises(type(error)):
        world.call(policy, broken)
    assert broken.calls == 1
    assert policy.stats().failures_in_a_row == 0


def test_what_counts_can_be_said_by_type_and_by_predicate(world: "World", flaky: Make) -> None:
    broken = flaky(9, KeyError("asked for"))
    policy = world.policy(
        retry=Retry(attempts=2, on=(KeyError,)),
        breaker=Breaker(failures=9, on=lambda error: isinstance(error, LookupError)),
    )
    with pytest.raises(KeyError):
        world.call(policy, broken)
    assert broken.calls == 2
    assert policy.stats().failures_in_a_row == 2


def test_what_is_ignored_is_not_retried(world: "World", flaky: Make) -> None:
    broken = flaky(9, ConnectionResetError())
    policy = world.policy(retry=Retry(attempts=3, ignore=ConnectionResetError))
    with pytest.raises(ConnectionResetError):
        world.call(policy, broken)
    assert broken.calls == 1


def test_results_can_be_failures_and_the_last_one_is_returned(world: "World") -> None:
    answers = iter([503, 503, 200, 503, 503, 503])
    policy = world.policy(
        retry=Retry(attempts=3, on_result=lambda answer: answer == 503),
        breaker=Breaker(failures=9, on_result=lambda answer: answer == 503),
    )
    assert world.call(policy, lambda: next(answers)) == 200
    assert policy.stats().failures_in_a_row == 0
    assert world.call(policy, lambda: next(answers)) == 503
    assert policy.stats().failures_in_a_row == 3


def test_the_delay_that_the_server_asks_for_is_kept(world: "World", flaky: Make) -> None:
    class Busy(Exception):
        retry_after_s = 7.0

    broken = flaky(1, Busy())
    policy = world.policy(retry=Retry(backoff="100ms..1s", jitter="none"))
    world.call(policy, broken)
    assert broken.calls_s[1] - broken.calls_s[0] == pytest.approx(7.1)


def test_a_server_that_asks_for_too_long_is_not_asked_again(world: "World", flaky: Make) -> None:
    class Busy(Exception):
        retry_after_s = 61.0

    broken = flaky(1, Busy())
    policy = world.policy(retry=Retry())
    with pytest.raises(Busy):
        world.call(policy, broken)
    assert world.recorder.only(GaveUp).reason == "server"


def test_what_must_not_be_made_twice_is_retried_only_where_it_never_left(
    world: "World", flaky: Make
) -> None:
    unsent = ConnectionRefusedError()
    vars(unsent)["never_sent"] = True
    for error, calls in ((ConnectionResetError(), 1), (unsent, 2)):
        broken = flaky(1, error)
        policy = world.policy(retry=Retry()).once
        if calls == 1:
            with pytest.raises(ConnectionResetError):
                world.call(policy, broken)
            assert world.recorder.only(GaveUp).reason == "unsafe"
        else:
            assert world.call(policy, broken) == "answer"
        assert broken.calls == calls


def test_what_a_function_raises_says_nothing_about_what_it_did_before(
    world: "World",
) -> None:
    """It charges, and then the one that sends receipts refuses: to charge again would be wrong."""
    charged = 0

    def charge() -> None:
        nonlocal charged
        charged += 1
        raise refusal

    for refusal in (ConnectionRefusedError(), CircuitOpen("receipts", 1.0)):
        retry = Retry(attempts=3, on=Exception)
        with pytest.raises(type(refusal)):
            world.call(world.policy(retry=retry).once, charge)
    assert charged == 2


def test_the_view_for_such_calls_shares_all_state(world: "World", flaky: Make) -> None:
    policy = world.policy(retry=Retry(), breaker=Breaker(failures=1))
    assert policy.once is policy.once
    with pytest.raises(ConnectionResetError):
        world.call(policy.once, flaky(1, ConnectionResetError()))
    with pytest.raises(CircuitOpen):
        world.call(policy, flaky(0))


def test_retries_stop_when_the_budget_is_spent(world: "World", flaky: Make) -> None:
    broken = flaky(10**6)
    policy = world.policy(retry=Retry(attempts=3, budget=0.2, budget_floor=0.0, backoff=(0, 0)))
    for _ in range(100):
        with pytest.raises(ConnectionError):
            world.call(policy, broken)
    assert broken.calls == 120
    assert world.recorder.count(BudgetSpent, by="retry") > 0
    stats = policy.stats()
    assert (stats.budget_spent, stats.calls) == (20, 100)


def test_without_a_budget_nothing_bounds_the_retries(world: "World", flaky: Make) -> None:
    broken = flaky(10**6)
    policy = world.policy(retry=Retry(attempts=3, budget=None))
    for _ in range(50):
        with pytest.raises(ConnectionError):
            world.call(policy, broken)
    assert broken.calls == 150


def test_jitter_repeats_with_the_same_seed_and_is_the_same_in_both_worlds() -> None:
    def pauses(world_is_async: bool) -> list[float]:  # noqa: FBT001  The two worlds.
        clock = VirtualClock()
        policy = Policy(retry=Retry(attempts=6), seed=42, clock=clock)
        calls_s: list[float] = []

        def call() -> None:
            calls_s.append(clock.monotonic_s())
            raise ConnectionError

        async def acall() -> None:
            call()

        def run() -> None:
            if world_is_async:
                run_virtual(policy.acall(acall), clock=clock)
            else:
                policy.call(call)

        with pytest.raises(ConnectionError):
            run()
        return [later - sooner for sooner, later in itertools.pairwise(calls_s)]

    assert pauses(world_is_async=True) == pytest.approx(pauses(world_is_async=False))
    assert len(set(pauses(world_is_async=False))) == 5


@pytest.mark.parametrize(
    ("begun", "calls"),
    [
        (lambda call: call, 9),
        (lambda call: partial(copy_context().run, call), 3),
    ],
    ids=["without context", "with it"],
)
def test_a_thread_of_a_pool_knows_of_layers_around_it_by_its_context_alone(
    begun: Callable[[Callable[[], object]], Callable[[], object]], calls: int, flaky: Make
) -> None:
    """The guide warns of pools: there a layer can't see that another one retries already."""
    broken = flaky(10**6)
    outer, middle, inner = (
        Policy(name=name, retry=Retry(backoff=(0, 0), budget=None), clock=VirtualClock())
        for name in ("outer", "middle", "inner")
    )
    with ThreadPoolExecutor(1) as pool, pytest.raises(ConnectionError):
        outer.call(lambda: pool.submit(begun(lambda: middle.call(inner.call, broken))).result())
    assert broken.calls == calls
