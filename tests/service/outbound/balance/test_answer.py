"""What an answer of a name server means, and when to ask again."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.service.outbound.balance import Endpoint, Pace
from mainstay.service.outbound.balance.answer import ADDRESSES_READ_MAX, endpoints_of


def at(*hosts: str) -> tuple[Endpoint, ...]:
    return tuple(Endpoint(host=host, port=80) for host in hosts)


@given(failures=st.integers(0, 10**6), draw=st.floats(0, 1, exclude_max=True))
def test_a_wait_has_bounds_however_long_the_outage(failures: int, draw: float) -> None:
    pace = Pace(ttl_s=30, retry_s=1, spread=0.1)
    wait_s = pace.wait_s(failures, draw)
    assert 0.9 <= wait_s <= 30
    if failures == 0:
        assert wait_s > 27 * (1 - 1e-9)


def test_failures_back_off() -> None:
    pace = Pace(ttl_s=30, retry_s=1, spread=0)
    assert [pace.wait_s(failures, 0.5) for failures in range(8)] == [30, 1, 2, 4, 8, 16, 30, 30]


def test_a_fleet_does_not_ask_together() -> None:
    pace = Pace(ttl_s=30, spread=0.1)
    assert [pace.wait_s(0, draw) for draw in (0.0, 0.5)] == [30, 28.5]


@pytest.mark.parametrize(
    "wrong",
    [{"ttl_s": 0.5}, {"retry_s": 0.0}, {"ttl_s": math.inf}, {"spread": 1.0}, {"spread": -0.1}],
)
def test_nonsense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"retry_s|spread"):
        Pace(**wrong)


def test_each_address_once() -> None:
    found = endpoints_of(["a", "b", "a"], port=80, before=(), endpoints_max=9)
    assert found == at("a", "b")


def test_a_shuffled_answer_is_the_same_answer() -> None:
    before = at("a", "b", "c")
    for answer in itertools.permutations("abc"):
        assert endpoints_of(answer, port=80, before=before, endpoints_max=9) == before


def test_of_too_many_those_that_were_there_stay() -> None:
    before = at("x", "y")
    found = endpoints_of("abcdxefy", port=80, before=before, endpoints_max=4)
    assert found == at("x", "y", "a", "b")


def test_what_is_no_address_is_left_out() -> None:
    hostile = ["10.0.0.1", "", "a b", "h\r\nx", "u@h", "x" * 300]
    assert endpoints_of(hostile, port=80, before=(), endpoints_max=9) == at("10.0.0.1")


def test_an_endless_answer_is_read_in_part() -> None:
    numbers = itertools.count()
    found = endpoints_of((f"h{n}" for n in numbers), port=80, before=(), endpoints_max=3)
    assert found == at("h0", "h1", "h2")
    assert next(numbers) <= ADDRESSES_READ_MAX + 1
