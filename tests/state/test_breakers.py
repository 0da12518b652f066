"""Circuits told through a store, in one process: what keys say, and what a bad one does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.breakers import Told
from mainstay.core.errors import PolicyMisused
from mainstay.state.breakers import BREAKERS_MAX, SharedBreakers, told_by
from mainstay.state.valkey import Valkey
from mainstay.testing import VirtualClock

NOBODY = "redis://127.0.0.1:1"
"""A port where nothing listens."""


def test_what_a_key_says() -> None:
    serial = (7).to_bytes(8, "big")
    assert told_by(b"o" + serial, 1500, 100.0) == Told(serial=7, open_until_s=101.5)
    assert told_by(b"c" + serial, 1500, 100.0) == Told(serial=7, open_until_s=None)
    said = b"1795322000000000"
    assert told_by(b"c" + serial + said, 1500, 100.0) == Told(serial=7, open_until_s=None)


@given(
    st.one_of(st.none(), st.binary(max_size=12), st.integers()),
    st.one_of(st.none(), st.binary(max_size=3), st.integers()),
)
def test_a_hostile_key_is_as_good_as_nothing_told(value: bytes | int | None, left: int) -> None:
    told = told_by(value, left, 100.0)
    if told is not None:
        assert isinstance(value, bytes)
        assert value[:1] in {b"o", b"c"}
        assert len(value) >= 9
        assert left > 0


def test_nothing_waits_where_nobody_is_there() -> None:
    """What was told is what is read, and the last word about each circuit is all that is kept."""
    clock = VirtualClock()
    breakers = SharedBreakers(Valkey(NOBODY), clock=clock)
    state = breakers.of("payments")
    assert state.read() is None
    for _ in range(1000):
        told = state.write(clock.monotonic_s() + 60)
    assert state.read() == told
    assert {name: word.told for name, word in breakers._pending.items()} == {"payments": told}
    breakers.close()


def test_each_word_has_a_number_of_its_own() -> None:
    breakers = SharedBreakers(Valkey(NOBODY))
    state = breakers.of("payments")
    assert len({state.write(None).serial for _ in range(100)}) == 100
    breakers.close()


def test_circuits_are_bounded() -> None:
    breakers = SharedBreakers(Valkey(NOBODY))
    for number in range(BREAKERS_MAX):
        breakers.of(str(number))
    breakers.of("0")
    with pytest.raises(PolicyMisused):
        breakers.of("one more")
    with pytest.raises(PolicyMisused):
        breakers.of("\ud800")
    breakers.close()
