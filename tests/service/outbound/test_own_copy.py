"""Plain data is copied as deep as it goes, and nothing else is."""

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mainstay.service.outbound.own_copy import _DEPTH_MAX, own_copy

_LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.binary(max_size=3)
PLAIN = st.recursive(
    _LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=2), inner, max_size=3)
        | st.tuples(inner, inner)
        | st.sets(st.integers(), max_size=3)
    ),
    max_leaves=12,
)


def parts(data: Any) -> list[Any]:
    """Return what can be changed in it, itself included."""
    found = [data] if type(data) in {dict, list, set} else []
    inner = data.values() if isinstance(data, dict) else data
    if isinstance(data, dict | list | tuple):
        found += [one for part in inner for one in parts(part)]
    return found


@given(PLAIN)
def test_a_copy_is_equal_and_shares_nothing_that_can_be_changed(data: object) -> None:
    made = own_copy(data)
    assert made == copy.deepcopy(data)
    assert type(made) is type(data)
    assert not {id(one) for one in parts(made)} & {id(one) for one in parts(data)}


def test_objects_are_as_they_are() -> None:
    class Basket(list[int]):
        pass

    one, basket = object(), Basket()
    made = own_copy([one, basket])
    assert made[0] is one
    assert made[1] is basket
    assert own_copy(basket) is basket


def test_data_that_holds_itself_or_is_there_twice_does_so_in_the_copy() -> None:
    loop: list[Any] = []
    loop.extend([loop, loop])
    made = own_copy(loop)
    assert made is not loop
    assert made[0] is made[1] is made
    twice: list[int] = []
    made = own_copy({"a": twice, "b": (twice,)})
    assert made["a"] is made["b"][0] is not twice


def test_depth_is_bounded() -> None:
    innermost: list[Any] = []
    data = innermost
    for _ in range(_DEPTH_MAX * 100):
        data = [data]
    made = own_copy(data)
    for _ in range(_DEPTH_MAX):
        assert made is not data
        made, data = made[0], data[0]
    assert made is data
