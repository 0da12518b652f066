"""Options as people write them, and every fault of a part at once."""

from typing import Any

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
    keyed,
)
from mainstay.core.errors import ConfigInvalid
from mainstay.spec.kinds.units import Between


def test_texts_with_units_and_plain_numbers_mean_the_same() -> None:
    assert Deadline("800ms") == Deadline(0.8)
    assert Retry(backoff="50ms..1s") == Retry(backoff=(0.05, 1.0)) == Retry()
    assert Retry(backoff=("50ms", "1s")).backoff == Between(low_s=0.05, high_s=1.0)
    assert Retry(budget="20%", budget_floor="10/s") == Retry(budget=0.2, budget_floor=10)
    assert RateLimit(rate="60/min").rate == RateLimit(rate=1.0).rate
    assert Breaker(open="1m", rate="50% of 20 in 30s").open == 60.0
    assert AttemptTimeout(within="1m30s").within == 90.0


@pytest.mark.parametrize(
    ("part", "options"),
    [
        (Retry, {"attempts": 0}),
        (Retry, {"attempts": True}),
        (Retry, {"attempts": 2.0}),
        (Retry, {"backoff": "1s..50ms"}),
        (Retry, {"backoff": (1.0, 0.05)}),
        (Retry, {"backoff": "soon"}),
        (Retry, {"jitter": "some"}),
        (Retry, {"budget": 1.5}),
        (Retry, {"budget": "20"}),
        (Retry, {"within": "outer"}),
        (Retry, {"on": "ConnectionError"}),
        (Retry, {"on": (ConnectionError, "x")}),
        (Retry, {"on": int}),
        (Retry, {"total": 0}),
        (Breaker, {"failures": 0}),
        (Breaker, {"open": "60"}),
        (Breaker, {"open": -1}),
        (Breaker, {"open": float("nan")}),
        (Breaker, {"rate": "half of them"}),
        (Breaker, {"rate": "50% of 20 in 200000 calls"}),
        (Breaker, {"slow": "1s"}),
        (Breaker, {"slow_rate": "50% of 20 in 30s"}),
        (Breaker, {"ignore": 7}),
        (Bulkhead, {"limit": 0}),
        (Bulkhead, {"queue": -1}),
        (Bulkhead, {"per_key": 0}),
        (RateLimit, {"rate": 0}),
        (RateLimit, {"rate": "often"}),
        (RateLimit, {"rate": 1, "burst": 0}),
        (AttemptTimeout, {"within": "automatic"}),
        (AttemptTimeout, {"floor": "2s", "ceiling": "1s"}),
        (Hedge, {"after": "p100.0001"}),
        (Hedge, {"after": "95"}),
        (Fallback, {}),
        (Fallback, {"function": "name"}),
        (Fallback, {"last_good": -1, "value": 1}),
        (Deadline, {"within": "400d"}),
    ],
)
def test_what_is_wrong_is_refused_when_it_is_made(part: Any, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        part(**options)
    assert str(caught.value).startswith(f"{part.__name__}(")


def test_all_faults_of_a_part_are_told_at_once() -> None:
    with pytest.raises(ConfigInvalid) as caught:
        Breaker(failures=0, open="x", successes=0)
    assert len(caught.value.faults) == 3
    assert "Breaker(failures=...): expected a whole number, 1 to 10000, found 0" in str(
        caught.value
    )


def test_a_part_in_the_wrong_place_is_told_what_belongs_there() -> None:
    wrong: Any = Breaker()
    with pytest.raises(ConfigInvalid, match=r"Policy\(retry=\.\.\.\): expected Retry\(\.\.\.\)"):
        Policy(retry=wrong)
    with pytest.raises(ConfigInvalid, match=r"Policy\(name=\.\.\.\)"):
        Policy(name="")


@pytest.mark.parametrize("key", ["", "x" * 257, None, 7])
def test_a_key_is_a_bounded_text(key: Any) -> None:
    with pytest.raises(ConfigInvalid), keyed(key):
        pass


def test_parts_are_values() -> None:
    assert Retry() == Retry()
    assert Breaker(open="60s") == Breaker(open=60.0)
    with pytest.raises(AttributeError):
        Retry().attempts = 5  # type: ignore[misc]  # The mistake itself.
