"""Shells with the parameters of their function: called in the same ways, with the same outcome."""

import asyncio
import functools
import inspect
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
)
from mainstay.service.outbound.plan import Parts
from mainstay.service.outbound.shells import fitted, specialised, sync_shell
from mainstay.testing import VirtualClock, run_virtual

PACKED = inspect.CO_VARARGS | inspect.CO_VARKEYWORDS


def pair(order: object, amount: object) -> tuple[object, object]:
    return order, amount


async def apair(order: object, amount: object) -> tuple[object, object]:
    return order, amount


def double(order: int) -> int:
    return order * 2


def takes_any(guarded: Callable[..., Any]) -> bool:
    return bool(guarded.__code__.co_flags & PACKED)


def test_a_guarded_function_takes_what_its_function_takes_and_no_more() -> None:
    guarded = Policy(retry=Retry())(pair)
    assert guarded.__code__.co_varnames[:2] == ("order", "amount")
    assert not takes_any(guarded)
    assert guarded(1, 2) == guarded(1, amount=2) == guarded(amount=2, order=1) == (1, 2)


@pytest.mark.parametrize(
    "wrong", [(), (1,), (1, 2, 3), (1, 2, {"other": 3}), (1, {"order": 2}), ({"amount": 2},)]
)
def test_wrong_arguments_are_the_callers_mistake_in_the_words_of_the_function(
    wrong: tuple[Any, ...],
) -> None:
    named: dict[str, int] = wrong[-1] if wrong and isinstance(wrong[-1], dict) else {}
    given_ = tuple(one for one in wrong if not isinstance(one, dict))
    bare: Callable[..., Any] = pair
    with pytest.raises(TypeError) as plain:
        bare(*given_, **named)
    policy = Policy(breaker=Breaker(failures=1), bulkhead=Bulkhead(limit=1))
    guarded: Callable[..., Any] = policy(pair)
    with pytest.raises(TypeError) as caught:
        guarded(*given_, **named)
    assert str(caught.value) == str(plain.value)
    assert guarded(1, 2) == (1, 2)


def test_wrong_arguments_of_a_coroutine_function_are_told_when_it_is_called() -> None:
    guarded: Callable[..., Any] = Policy(retry=Retry())(apair)
    with pytest.raises(TypeError, match=r"apair\(\) missing 1 required positional argument"):
        guarded(1)


def test_positional_parameters_stay_positional() -> None:
    def mixed(first: int, /, second: int) -> tuple[int, int]:
        return first, second

    guarded: Callable[..., Any] = Policy(retry=Retry())(mixed)
    assert not takes_any(guarded)
    assert guarded(1, second=2) == (1, 2)
    with pytest.raises(TypeError, match="positional-only"):
        guarded(first=1, second=2)


def test_parameters_may_have_the_names_that_a_shell_uses_itself() -> None:
    def odd(policy: int, plan: int, fn: int, args: int, kwargs: int) -> list[int]:
        return [policy, plan, fn, args, kwargs]

    async def aodd(shape: int, outer: int, enter: int, token: int, error: int) -> list[int]:
        return [shape, outer, enter, token, error]

    policy = Policy(
        bulkhead=Bulkhead(), retry=Retry(), breaker=Breaker(), attempt_timeout=AttemptTimeout()
    )
    assert policy(odd)(1, 2, fn=3, args=4, kwargs=5) == [1, 2, 3, 4, 5]
    guarded = policy(aodd)
    assert not takes_any(guarded)
    assert asyncio.run(guarded(1, 2, 3, token=4, error=5)) == [1, 2, 3, 4, 5]


def _default(order: int, amount: int = 7) -> tuple[int, int]:
    return order, amount


def _keyword(order: int, *, amount: int) -> tuple[int, int]:
    return order, amount


def _rest(order: int, *more: int) -> tuple[int, int]:
    return order, more[0]


def _named(order: int, **more: int) -> tuple[int, int]:
    return order, more["amount"]


def _many(  # noqa: PLR0917  That is what it is about.
    a: int, b: int, c: int, d: int, e: int, f: int, g: int, h: int, i: int
) -> int:
    return a + b + c + d + e + f + g + h + i


class _Callable:
    def __call__(self, order: int, amount: int) -> tuple[int, int]:
        return order, amount

    def method(self, order: int, amount: int) -> tuple[int, int]:
        return order, amount


@pytest.mark.parametrize(
    ("unusual", "args", "named"),
    [
        (_default, (1,), {}),
        (_default, (1, 7), {}),
        (_keyword, (1,), {"amount": 7}),
        (_rest, (1, 7), {}),
        (_named, (1,), {"amount": 7}),
        (functools.partial(pair, 1), (7,), {}),
        (_Callable(), (1, 7), {}),
        (_Callable().method, (1,), {"amount": 7}),
        (divmod, (15, 8), {}),
    ],
)
def test_what_is_unusual_takes_any_arguments(
    unusual: Callable[..., Any], args: tuple[int, ...], named: dict[str, int]
) -> None:
    policy = Policy(retry=Retry(), breaker=Breaker())
    assert policy.call(unusual, *args, **named) == (1, 7)
    assert takes_any(specialised.specialised(sync_shell.guard, policy.plan)(policy, unusual))


def test_a_function_with_very_many_parameters_takes_any_arguments() -> None:
    guarded = Policy(retry=Retry())(_many)
    assert takes_any(guarded)
    assert guarded(*range(9)) == 36


def test_functions_of_one_code_may_have_different_defaults() -> None:
    def make(amount: int) -> Callable[..., Any]:
        def both(order: int, amount: int = amount) -> tuple[int, int]:
            return order, amount

        return both

    bare, full = make(1), make(2)
    bare.__defaults__ = None
    policy = Policy(retry=Retry())
    assert policy(bare)(1, 2) == (1, 2)
    assert policy(full)(1) == (1, 2)


def test_functions_beyond_those_that_are_remembered_take_any_arguments(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(specialised, "_MADE", {})
    monkeypatch.setattr(fitted, "FUNCTIONS_MAX", 1)
    policy = Policy(retry=Retry())
    first, second = policy(pair), policy(double)
    assert not takes_any(first)
    assert takes_any(second)
    assert (first(1, 2), second(3)) == ((1, 2), 6)


def test_functions_of_one_code_share_their_shells_code() -> None:
    def make(base: int) -> Callable[[int], int]:
        return lambda order: base + order

    policy = Policy(retry=Retry())
    one, ten = policy(make(1)), policy(make(10))
    assert one.__code__ is ten.__code__
    assert (one(1), ten(1)) == (2, 11)


def test_a_fallback_is_given_the_arguments_as_the_caller_wrote_them() -> None:
    heard: list[object] = []

    def instead(*args: object, **kwargs: object) -> str:
        heard.append((args, kwargs))
        return "instead"

    def fail(order: int, amount: int) -> str:
        raise ConnectionError(order, amount)

    guarded = Policy(fallback=Fallback(function=instead))(fail)
    assert guarded(1, amount=2) == "instead"
    assert heard == [((1,), {"amount": 2})]


def test_after_a_change_of_shape_the_arguments_are_the_same() -> None:
    policy = Policy(retry=Retry())
    guarded, aguarded = policy(pair), policy(apair)
    policy.update(Parts(breaker=Breaker(), bulkhead=Bulkhead(), fallback=Fallback(value="none")))
    assert guarded(1, amount=2) == (1, 2)
    assert asyncio.run(aguarded(amount=2, order=1)) == (1, 2)


def test_a_second_attempt_and_a_hedge_get_the_same_arguments() -> None:
    heard: list[object] = []

    async def flaky(order: int, amount: int) -> str:
        heard.append((order, amount))
        if len(heard) == 1:
            await asyncio.sleep(60)
        if len(heard) == 2:
            raise ConnectionError
        return "done"

    clock = VirtualClock()
    policy = Policy(
        retry=Retry(), hedge=Hedge(after=0.1), attempt_timeout=AttemptTimeout(within=1.0),
        clock=clock,
    )  # fmt: skip
    guarded = policy(flaky)
    assert not takes_any(guarded)
    assert run_virtual(guarded(1, amount=2), clock=clock) == "done"
    assert heard == [(1, 2)] * 3


PARTS: dict[str, object] = {
    "deadline": Deadline(5.0),
    "bulkhead": Bulkhead(),
    "rate_limit": RateLimit(rate=1e6, burst=10_000),
    "retry": Retry(),
    "breaker": Breaker(failures=3),
    "attempt_timeout": AttemptTimeout(within=5.0),
}

SOURCES = ("def fn({0}): return act({0})", "async def fn({0}): return act({0})")


@given(
    parts=st.sets(st.sampled_from(sorted(PARTS))),
    failures=st.integers(min_value=0, max_value=3),
    count=st.integers(min_value=0, max_value=3),
)
def test_shells_that_fit_do_what_those_for_any_arguments_do(
    parts: set[str], failures: int, count: int
) -> None:
    """The same calls with the same failures, in both worlds: same outcome, at the same time."""
    names = ", ".join(f"p{nth}" for nth in range(count))
    outcomes = [
        _outcome(source.format(parameters), parts, failures, count)
        for source in SOURCES
        for parameters in (names, "*packed")
    ]
    assert [one["packed"] for one in outcomes] == [False, True, False, True]
    assert all(one | {"packed": None} == outcomes[0] | {"packed": None} for one in outcomes)


def _outcome(source: str, parts: set[str], failures: int, count: int) -> dict[str, object]:
    heard: list[object] = []

    def act(*args: int) -> str:
        heard.append(args)
        if len(heard) <= failures:
            raise ConnectionError
        return "answer"

    found: dict[str, Any] = {"act": act}
    exec(source, found)  # noqa: S102  One of SOURCES.
    clock = VirtualClock()
    chosen: dict[str, Any] = {name: PARTS[name] for name in parts}
    policy = Policy(clock=clock, seed=1, **chosen)
    guarded = policy(found["fn"])
    try:
        answer = guarded(*range(count))
        if inspect.iscoroutine(answer):
            answer = run_virtual(answer, clock=clock)
    except ConnectionError:
        answer = "failed"
    return {
        "packed": takes_any(guarded), "answer": answer, "heard": heard,
        "at_s": clock.monotonic_s(), "stats": policy.stats(),
    }  # fmt: skip
