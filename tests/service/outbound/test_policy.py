"""A policy in each form in which it is used, and each part within it."""

import asyncio
import inspect
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from mainstay import (
    AttemptTimeout,
    Breaker,
    Bulkhead,
    Deadline,
    Fallback,
    Hedge,
    Policy,
    RateLimit,
    Retry,
    deadline,
    detach,
    remaining_s,
)
from mainstay.core.errors import (
    AttemptTimedOut,
    BulkheadFull,
    CircuitOpen,
    ConfigInvalid,
    DeadlineExceeded,
    PolicyMisused,
    RateLimited,
)
from mainstay.core.events import Event
from mainstay.service.outbound.events import (
    AnswerDegraded,
    Attempted,
    BudgetSpent,
    CircuitChanged,
    GaveUp,
    Probed,
    Rejected,
    TimedOut,
)
from mainstay.service.outbound.plan import Parts
from mainstay.testing import FaultInjected, VirtualClock, faults, run_virtual

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
    for error, calls in ((ConnectionResetError(), 1), (ConnectionRefusedError(), 2)):
        broken = flaky(1, error)
        policy = world.policy(retry=Retry()).once
        if calls == 1:
            with pytest.raises(ConnectionResetError):
                world.call(policy, broken)
            assert world.recorder.only(GaveUp).reason == "unsafe"
        else:
            assert world.call(policy, broken) == "answer"
        assert broken.calls == calls


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
    assert states == ["open", "closed"]
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


def test_a_fallback_answers_and_marks_its_answer(world: "World", flaky: Make) -> None:
    from mainstay import degraded

    policy = world.policy(fallback=Fallback(value="yesterday's"), retry=Retry(attempts=2))
    if world.is_async:

        async def scenario() -> None:
            with degraded() as marks:
                assert await policy.acall(world.wrap(flaky(9))) == "yesterday's"
            assert [(mark.source, mark.reason) for mark in marks] == [("value", "ConnectionError")]

        world.run(scenario())
    else:
        with degraded() as marks:
            assert policy.call(flaky(9)) == "yesterday's"
        assert [(mark.source, mark.reason) for mark in marks] == [("value", "ConnectionError")]
    assert world.recorder.only(AnswerDegraded).dependency == "dependency"


def test_a_fallback_function_gets_the_arguments(world: "World", flaky: Make) -> None:
    policy = world.policy(fallback=Fallback(function=lambda value: f"cached {value}"))
    assert world.call(policy, flaky(9), "quote") == "cached quote"


def test_a_fallback_may_be_a_coroutine_function_where_it_can_be_awaited(
    world: "World", flaky: Make
) -> None:
    async def cached(value: str) -> str:
        await asyncio.sleep(0)
        return f"cached {value}"

    policy = world.policy(fallback=Fallback(function=cached))
    if world.is_async:
        assert world.call(policy, flaky(9), "quote") == "cached quote"
    else:
        with pytest.raises(PolicyMisused, match="can't be a coroutine function"):
            world.call(policy, flaky(9), "quote")


def test_the_last_good_answer_is_kept_by_arguments_bounded_and_for_a_while(
    world: "World",
) -> None:
    down = False

    def quote(item: str) -> str:
        if down:
            raise ConnectionError
        return f"price of {item}"

    policy = world.policy(fallback=Fallback(last_good=2, age_max="1m"))
    asked = world.wrap(quote)
    for item in ("a", "b", "c"):
        world.invoke(policy, asked, item)
    down = True
    assert world.invoke(policy, asked, "c") == "price of c"
    with pytest.raises(ConnectionError):
        world.invoke(policy, asked, "a")
    world.clock.advance(61)
    with pytest.raises(ConnectionError):
        world.invoke(policy, asked, "c")
    assert world.recorder.only(AnswerDegraded).source == "last_good"


def test_no_function_gets_the_last_good_answer_of_another(world: "World", flaky: Make) -> None:
    """A policy is of a dependency, of which one asks many things."""
    policy = world.policy(fallback=Fallback(last_good=9))
    world.invoke(policy, world.wrap(lambda: "balance of Ann"))
    with pytest.raises(ConnectionError):
        world.invoke(policy, world.wrap(flaky(9)))


def test_a_fallback_stands_in_for_rejections_and_not_for_mistakes(
    world: "World", flaky: Make
) -> None:
    policy = world.policy(fallback=Fallback(value=None), breaker=Breaker())
    policy.breaker.force_open()
    assert world.call(policy, flaky(0)) is None
    policy.breaker.enforce()
    with pytest.raises(TypeError):
        world.call(policy, flaky(9, TypeError()))


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


def test_the_decorator_keeps_the_function_what_it_is(world: "World") -> None:
    policy = world.policy(retry=Retry())

    @policy
    def plain(a: int, *, b: int = 2) -> int:
        """Add."""
        return a + b

    @policy
    async def coroutine(a: int) -> int:
        return a

    assert plain(1, b=4) == 5
    assert (plain.__name__, plain.__doc__) == ("plain", "Add.")
    assert inspect.iscoroutinefunction(coroutine)
    assert not inspect.iscoroutinefunction(plain)
    assert world.run(coroutine(7)) == 7


def test_methods_static_methods_partials_and_callables_are_guarded(flaky: Make) -> None:
    policy = Policy(retry=Retry(backoff=(0, 0)), breaker=Breaker())

    class Client:
        def __init__(self) -> None:
            self.broken = flaky(1)

        @policy
        def method(self, value: int) -> Any:
            return self.broken(value)

        @staticmethod
        @policy
        def inner_static(value: int) -> int:
            return value

        @policy
        @staticmethod
        def outer_static(value: int) -> int:
            return value

        @classmethod
        @policy
        def of_class(cls, value: int) -> tuple[str, int]:
            return cls.__name__, value

        async def __call__(self, value: int) -> int:
            return value

    client = Client()
    assert client.method(3) == 3
    assert client.broken.calls == 2
    assert Client.inner_static(1) == client.outer_static(1) == 1
    assert Client.of_class(1) == ("Client", 1)
    guarded = policy(client)
    assert run_virtual(guarded(5)) == 5
    assert policy(partial(pow, 2))(3) == 8


def test_what_cannot_be_guarded_is_refused_with_what_to_do() -> None:
    policy = Policy(retry=Retry())

    def generator() -> Iterator[int]:
        yield 1

    async def async_generator() -> AsyncIterator[int]:
        yield 1

    for fn in (generator, async_generator, partial(generator)):
        with pytest.raises(PolicyMisused, match="generator"):
            policy(fn)
    with pytest.raises(PolicyMisused, match="put @classmethod above"):
        policy(classmethod(lambda cls: cls))  # type: ignore[type-var]  # The mistake itself.
    with pytest.raises(PolicyMisused, match="guard its methods"):
        policy(int)
    with pytest.raises(PolicyMisused, match="no function"):
        policy(7)  # type: ignore[type-var]  # The mistake itself.


def test_a_coroutine_function_called_synchronously_is_refused_and_not_counted() -> None:
    """Its work has not begun: taking the coroutine for an answer would hide every failure."""
    policy = Policy(breaker=Breaker(failures=1))

    async def coroutine() -> None:
        raise ConnectionError

    with pytest.raises(PolicyMisused, match="acall"):
        policy.call(coroutine)  # type: ignore[unused-coroutine]  # The mistake itself.
    assert policy.stats().failures_in_a_row == 0


def test_hedging_needs_asynchronous_code() -> None:
    with pytest.raises(PolicyMisused, match="acall"):
        Policy(hedge=Hedge(after="10ms")).call(int)


def test_a_region_is_one_attempt(world: "World") -> None:
    policy = world.policy(
        breaker=Breaker(failures=2), bulkhead=Bulkhead(limit=1), retry=Retry(),
        deadline=Deadline("2s"), attempt_timeout=AttemptTimeout(within="1s"),
    )  # fmt: skip

    def region(error: Exception | None) -> None:
        with policy:
            assert remaining_s() == pytest.approx(1.0)
            with pytest.raises(BulkheadFull):
                policy.call(int)
            if error is not None:
                raise error

    async def aregion(error: Exception | None) -> None:
        async with policy:
            assert remaining_s() == pytest.approx(1.0)
            with pytest.raises(BulkheadFull):
                await policy.acall(asyncio.sleep, 0)
            if error is not None:
                raise error

    def enter(error: Exception | None) -> None:
        if world.is_async:
            world.run(aregion(error))
        else:
            region(error)

    enter(None)
    for _ in range(2):
        with pytest.raises(ConnectionError):
            enter(ConnectionError())
    with pytest.raises(CircuitOpen):
        enter(None)
    assert policy.stats().in_flight == 0
    assert remaining_s() is None
    assert world.recorder.count(GaveUp) == 0


def test_a_region_that_takes_too_long_is_cut_off() -> None:
    async def scenario() -> None:
        clock = VirtualClock.running()
        policy = Policy(
            attempt_timeout=AttemptTimeout(within="1s"), breaker=Breaker(failures=1), clock=clock
        )

        async def body(takes_s: float) -> None:
            async with policy:
                await asyncio.sleep(takes_s)

        with pytest.raises(AttemptTimedOut):
            await body(9)
        with pytest.raises(CircuitOpen):
            await body(0)

    run_virtual(scenario())


def test_one_policy_can_be_a_region_within_itself() -> None:
    policy = Policy(deadline=Deadline("1s"), bulkhead=Bulkhead(limit=2))
    with policy, policy:
        assert policy.stats().in_flight == 2
    assert policy.stats().in_flight == 0


def test_regions_that_are_left_in_the_wrong_order_are_told_so() -> None:
    one, other = Policy(deadline=Deadline("1s")), Policy(deadline=Deadline("1s"))
    one.__enter__()
    other.__enter__()
    with pytest.raises(PolicyMisused, match="reverse order"):
        one.__exit__(None, None, None)
    other.__exit__(None, None, None)
    one.__exit__(None, None, None)


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
    broken = flaky(9, ConnectionRefusedError())
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
