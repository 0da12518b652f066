"""The bounds of every option: the last right value, the first wrong one, and what people read."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from mainstay.core.errors import ConfigInvalid
from mainstay.service.outbound.breaker.breaker import Breaker
from mainstay.service.outbound.bulkhead import Bulkhead
from mainstay.service.outbound.fallback import Fallback
from mainstay.service.outbound.hedge import Hedge
from mainstay.service.outbound.ratelimit import RateLimit
from mainstay.service.outbound.retry.retry import Retry
from mainstay.spec.kinds.units import DURATION_S_MAX, RATE_PER_S_MAX, Between, ShareOfCalls

# Any: an option takes what it is given and says what is wrong with it.
Make = Callable[..., Any]

SLOW = partial(Breaker, slow_rate="50% of 4 in 10s")
VALUE = partial(Fallback, value=1)
RATE = partial(RateLimit, rate=1.0)

WHOLE = [
    (Breaker, "failures", 1, 10_000),
    (Breaker, "successes", 1, 1000),
    (Breaker, "probes", 1, 1000),
    (Bulkhead, "limit", 1, 100_000),
    (Bulkhead, "queue", 0, 100_000),
    (Bulkhead, "per_key", 1, 100_000),
    (VALUE, "last_good", 0, 100_000),
    (RATE, "burst", 1, 1_000_000),
    (Retry, "attempts", 1, 20),
]
SECONDS = [
    (Breaker, "open", 0.001),
    (Breaker, "open_max", 0.001),
    (Breaker, "lease", 0.001),
    (SLOW, "slow", 0.001),
    (Bulkhead, "wait", 0.0),
    (VALUE, "age_max", 0.001),
    (Hedge, "after", 0.001),
    (Hedge, "floor", 0.001),
    (RATE, "wait", 0.0),
    (Retry, "total", 0.001),
    (Retry, "delay_max", 0.0),
]
ERRORS = [(Breaker, "on"), (Breaker, "ignore"), (VALUE, "on"), (Retry, "on"), (Retry, "ignore")]


def faults(make: Make, **options: object) -> list[str]:
    """Return what is wrong with the options, as people read it."""
    with pytest.raises(ConfigInvalid) as caught:
        make(**options)
    return [str(fault) for fault in caught.value.faults]


def told(make: Make, name: str, expected: str, found: object) -> str:
    part = make.func if isinstance(make, partial) else make
    return f"{part.__name__}({name}=...): expected {expected}, found {found!r}"


@pytest.mark.parametrize(("make", "name", "least", "most"), WHOLE)
def test_whole_numbers_are_within_their_bounds(
    make: Make, name: str, least: int, most: int
) -> None:
    for right in (least, most):
        assert getattr(make(**{name: right}), name) == right
    for wrong in (least - 1, most + 1, float(least), True, str(least)):
        expected = f"a whole number, {least} to {most}"
        assert faults(make, **{name: wrong}) == [told(make, name, expected, wrong)]


@pytest.mark.parametrize(("make", "name", "least_s"), SECONDS)
def test_durations_are_within_their_bounds(make: Make, name: str, least_s: float) -> None:
    for right_s in (least_s, 0.25, DURATION_S_MAX):
        found = make(**{"open": 0.001, name: right_s} if make is Breaker else {name: right_s})
        assert getattr(found, name) == right_s
    for wrong in (least_s - 0.0005, DURATION_S_MAX + 1, float("nan"), True, "800", [1]):
        expected = f"seconds or a text such as '800ms', {'1ms' if least_s else '0s'} to 366d"
        assert faults(make, **{name: wrong}) == [told(make, name, expected, wrong)]


@pytest.mark.parametrize(("make", "name", "least_s"), SECONDS)
def test_durations_are_read_as_seconds(make: Make, name: str, least_s: float) -> None:
    others = {"open": "1ms"} if name == "open_max" else {}
    assert getattr(make(**others, **{name: " 250ms "}), name) == 0.25


@pytest.mark.parametrize(("make", "name"), ERRORS)
def test_errors_are_types_or_a_predicate(make: Make, name: str) -> None:
    for right in (None, OSError, (OSError, KeyError), callable):
        assert getattr(make(**{name: right}), name) is right
    for wrong in (int, (OSError, int), (OSError, "KeyError"), 3):
        expected = "error types or a predicate"
        assert faults(make, **{name: wrong}) == [told(make, name, expected, wrong)]


def test_every_fault_is_told_at_once() -> None:
    said = faults(Breaker, failures=0, open="soon", open_max=None, lease=-1, on=3, ignore=4)
    assert [one.partition("=")[0] for one in said] == [
        "Breaker(failures", "Breaker(open", "Breaker(open_max", "Breaker(lease", "Breaker(on",
        "Breaker(ignore",
    ]  # fmt: skip


def test_the_longest_open_time_is_at_least_the_open_time() -> None:
    assert Breaker(open=600, open_max=300).open_max == 600
    assert Breaker(open=600, open_max=700).open_max == 700


@pytest.mark.parametrize("name", ["rate", "slow_rate"])
def test_a_window_of_calls_has_a_most(name: str) -> None:
    make: Make = partial(Breaker, slow=1.0) if name == "slow_rate" else Breaker
    expected = ShareOfCalls(share=0.5, calls_min=4, window_calls=100_000)
    assert getattr(make(**{name: "50% of 4 in 100000 calls"}), name) == expected
    longer = ShareOfCalls(share=0.5, calls_min=4, window_calls=100_001)
    assert faults(make, **{name: "50% of 4 in 100001 calls"}) == [
        f"Breaker({name}=...): expected a window of at most 100000 calls, found {longer!r}"
    ]
    said = faults(make, **{name: "half"})[0]
    assert said.startswith(f"Breaker({name}=...): expected '50% of 20 in 30s'")


def test_slow_calls_need_a_bound_and_a_share() -> None:
    expected = "Breaker(slow_rate=...): expected slow and slow_rate, both or neither, found "
    assert faults(Breaker, slow=1.0) == [f"{expected}None"]
    assert faults(Breaker, slow_rate="50% of 4 in 10s") == [f"{expected}'50% of 4 in 10s'"]


@pytest.mark.parametrize(
    ("make", "options"),
    [
        (RateLimit, {"rate": "often"}),
        (RateLimit, {"rate": -1.0}),
        (RateLimit, {"rate": 0}),
        (Breaker, {"slow": 1.0, "slow_rate": "half"}),
        (Breaker, {"slow": "soon", "slow_rate": "50% of 4 in 10s"}),
        (Retry, {"backoff": (5.0, -1.0)}),
        (Retry, {"backoff": ("soon", 1.0)}),
    ],
)
def test_one_mistake_is_one_fault(make: Make, options: dict[str, object]) -> None:
    assert len(faults(make, **options)) == 1


def test_a_fallback_has_something_to_answer() -> None:
    assert faults(Fallback) == [
        "Fallback(value=...): expected a value, a function or last_good, found nothing"
    ]
    assert Fallback(value=None).value is None
    assert Fallback(function=str).function is str
    assert Fallback(last_good=1).last_good == 1
    assert faults(Fallback, function=3) == ["Fallback(function=...): expected a function, found 3"]


def test_a_rate_is_more_than_nothing_and_read_as_calls_a_second() -> None:
    assert RateLimit(rate="120/min").rate == 2.0
    assert RateLimit(rate=RATE_PER_S_MAX).rate == RATE_PER_S_MAX
    assert faults(RateLimit, rate=0.0) == [
        "RateLimit(rate=...): expected more than nothing, found 0.0"
    ]
    for wrong, first in (
        ("often", "a rate such as 50.0 (a second) or '50/s'"),
        (2 * RATE_PER_S_MAX, "a number, 0 to 1000000000000"),
    ):
        said = f"RateLimit(rate=...): expected {first}, found {wrong!r}"
        assert faults(RateLimit, rate=wrong) == [said]


def test_a_retry_is_read_into_numbers() -> None:
    retry = Retry(backoff="50ms..2s", budget="10%", budget_floor="120/min", within=("a", "b"))
    assert retry.backoff == Between(low_s=0.05, high_s=2.0)
    assert (retry.budget, retry.budget_floor, retry.within) == (0.1, 2.0, ("a", "b"))
    assert Retry(budget=None, total=None).budget is None
    assert Retry(backoff=(0.5, 0.5)).backoff == Between(low_s=0.5, high_s=0.5)


@pytest.mark.parametrize(
    ("name", "wrong", "expected"),
    [
        ("backoff", "fast", "a range such as '50ms..1s' or (0.05, 1.0)"),
        ("jitter", "some", "one of full, equal, decorrelated, none"),
        ("budget", 1.5, "a number, 0 to 1"),
        ("budget", "some", "a share such as 0.2 or '20%'"),
        ("budget_floor", "some", "a rate such as 50.0 (a second) or '50/s'"),
        ("budget_floor", -0.5, "a number, 0 to 1000000000000"),
        ("within", "payments", "a tuple of names"),
    ],
)
def test_what_a_retry_cannot_be_is_told(name: str, wrong: object, expected: str) -> None:
    said = faults(Retry, **{name: wrong})
    assert said == [f"Retry({name}=...): expected {expected}, found {wrong!r}"]


def test_the_defaults_are_those_that_are_documented() -> None:
    """Mutation testing changes no defaults, so this is what holds them."""
    assert Breaker() == Breaker(
        failures=5, rate=None, slow=None, slow_rate=None, open=60, open_max=300, successes=2,
        probes=1, lease=60, on=None, ignore=None, on_result=None, shadow=False,
    )  # fmt: skip
    assert Bulkhead() == Bulkhead(limit=32, queue=0, wait="100ms", per_key=None)
    assert Hedge() == Hedge(after="p95", floor="1ms")
    assert RATE() == RateLimit(rate=1, burst=1, wait=0)
    assert VALUE() == Fallback(value=1, function=None, last_good=0, age_max="5m", on=None)
    assert Retry() == Retry(
        attempts=3, backoff="50ms..1s", jitter="full", total=None, budget="20%",
        budget_floor="10/s", on=None, ignore=None, on_result=None, delay_max="1m",
        idempotent=True, within=(),
    )  # fmt: skip
