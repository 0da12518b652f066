"""Which answers of Redis are kept, and that nobody can change them."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.service.outbound.adapters.redis_clients.kept import (
    KEPT_BYTES_MAX,
    Kept,
    copied,
    size_of,
)

scalars = st.none() | st.booleans() | st.integers() | st.text() | st.binary() | st.floats()
answers = st.recursive(
    scalars,
    lambda one: st.lists(one) | st.dictionaries(st.text(), one) | st.tuples(one, one),
    max_leaves=20,
)


def changeable(answer: Any) -> list[Any]:
    """Return all lists and dicts in an answer."""
    found = [answer] if isinstance(answer, list | dict) else []
    if isinstance(answer, dict):
        answer = list(answer.values())
    if isinstance(answer, list | tuple):
        for part in answer:
            found += changeable(part)
    return found


@given(answers)
def test_a_copy_says_the_same_and_shares_nothing_that_can_be_changed(answer: Any) -> None:
    copy = copied(answer)
    assert repr(copy) == repr(answer)
    theirs = {id(one) for one in changeable(answer)}
    assert not any(id(one) in theirs for one in changeable(copy))


def test_what_its_first_caller_does_changes_nothing() -> None:
    answer = {"a": [1]}
    kept = Kept(answer)
    answer["a"].append(2)
    first = kept.copy()
    first["a"].clear()
    assert kept.copy() == {"a": [1]}


@pytest.mark.parametrize(
    "answer", [object(), [object()], {"a": object()}, {"a": {1: bytearray(b"a")}}, bytearray(b"a")]
)
def test_what_may_be_anything_is_not_kept(answer: object) -> None:
    assert size_of(answer) == math.inf


def test_large_ones_are_not_kept() -> None:
    assert size_of("x" * (KEPT_BYTES_MAX - 16)) == KEPT_BYTES_MAX
    assert size_of([b"x" * 40_000, b"x" * 40_000]) > KEPT_BYTES_MAX
    assert size_of([0] * 4096) == KEPT_BYTES_MAX + 16
    assert size_of([0] * 4097) == math.inf
    assert size_of({"x" * 40_000: "x" * 40_000}) > KEPT_BYTES_MAX
    assert size_of({"a": 1}) == 16 + 17 + 16


def test_deep_ones_are_not_kept() -> None:
    answer: Any = 1
    for _ in range(8):
        answer = [answer]
    assert size_of(answer) < math.inf
    assert size_of([answer]) == math.inf
