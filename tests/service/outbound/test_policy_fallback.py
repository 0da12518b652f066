"""What a policy answers in the place of an answer."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from mainstay import (
    Breaker,
    Fallback,
    Retry,
)
from mainstay.core.errors import (
    PolicyMisused,
)
from mainstay.service.outbound.events import (
    AnswerDegraded,
)
from mainstay.service.outbound.plan import Parts
from mainstay.testing import faults

if TYPE_CHECKING:
    from tests.service.outbound.conftest import Flaky, World

Make = Callable[..., "Flaky"]


def test_last_good_answers_outlive_changes_and_faults(world: "World") -> None:
    """A test of them makes the dependency fail on purpose: by then they must still be there."""
    policy = world.policy(retry=Retry(attempts=2, backoff=(0, 0)))
    derived = policy.with_fallback(Fallback(last_good=5))

    def ask(item: str) -> str:
        return f"answer about {item}"

    asked = world.wrap(ask)
    assert world.invoke(derived, asked, "a") == "answer about a"
    policy.update(Parts(breaker=Breaker()))
    with policy.fault(faults(error_rate=1.0, error=ConnectionError, clock=world.clock)):
        assert world.invoke(derived, asked, "a") == "answer about a"
        with pytest.raises(ConnectionError):
            world.invoke(derived, asked, "b")


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


def test_a_key_that_raises_makes_no_error_of_a_success(world: "World", flaky: Make) -> None:
    def broken(_item: object) -> str:
        raise AttributeError("name")

    policy = world.policy(fallback=Fallback(last_good=2, key=broken))
    assert world.call(policy, lambda item: item, "a") == "a"
    with pytest.raises(ConnectionError):
        world.call(policy, flaky(9), "a")


def test_each_caller_has_a_value_of_its_own(world: "World", flaky: Make) -> None:
    policy = world.policy(fallback=Fallback(value={"items": []}))
    first = world.call(policy, flaky(9))
    assert isinstance(first, dict)
    first["items"].append("mine")
    assert world.call(policy, flaky(9)) == {"items": []}
