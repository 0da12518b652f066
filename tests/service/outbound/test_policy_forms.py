"""The forms in which a policy is used: decorator, call and region."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from mainstay import (
    AttemptTimeout,
    Breaker,
    Bulkhead,
    Deadline,
    Hedge,
    Policy,
    Retry,
    remaining_s,
)
from mainstay.core.errors import (
    AttemptTimedOut,
    BulkheadFull,
    CircuitOpen,
    PolicyMisused,
)
from mainstay.service.outbound.events import (
    GaveUp,
)
from mainstay.testing import VirtualClock, run_virtual

if TYPE_CHECKING:
    from tests.service.outbound.conftest import Flaky, World

Make = Callable[..., "Flaky"]


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


class Iterates:
    """An object whose call is a generator."""

    def __call__(self) -> Iterator[int]:
        yield 1


def numbers() -> Iterator[int]:
    yield 1


async def later_numbers() -> AsyncIterator[int]:
    yield 1


@pytest.mark.parametrize("fn", [numbers, later_numbers, partial(numbers), Iterates()])
def test_generators_are_refused_in_every_form_and_not_counted(fn: Any, world: "World") -> None:
    """Any: the mistake itself."""
    policy = world.policy(breaker=Breaker(failures=2))
    with pytest.raises(ConnectionError), policy:
        raise ConnectionError
    with pytest.raises(PolicyMisused, match="generator"):
        policy(fn)
    with pytest.raises(PolicyMisused, match="generator"):
        world.run(policy.acall(fn)) if world.is_async else policy.call(fn)
    assert policy.stats().failures_in_a_row == 1


def test_a_function_that_returns_a_generator_is_as_any_other() -> None:
    """It may have done its work: a client that returns its answer page by page, say."""
    assert list(Policy(breaker=Breaker()).call(lambda: numbers())) == [1]  # noqa: PLW0108


@pytest.mark.parametrize("hedge", [None, Hedge(after="10s")])
def test_a_function_that_is_awaited_is_told_so(hedge: Hedge | None) -> None:
    policy = Policy(hedge=hedge)

    async def calls_wrongly() -> None:
        raise TypeError("wrong, with an await of its own")

    async def scenario() -> None:
        with pytest.raises(PolicyMisused, match=r"nothing to await: use `policy\.call"):
            await policy.acall(len, "abc")  # type: ignore[arg-type]  # The mistake itself.
        with pytest.raises(TypeError, match="of its own") as caught:
            await policy.acall(calls_wrongly)
        assert type(caught.value) is TypeError

    run_virtual(scenario())


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
