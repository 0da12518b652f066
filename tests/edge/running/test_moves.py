"""Listeners change places: against a model of what Envoy and the system allow."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.edge.envoy.protojson import JsonObject
from mainstay.edge.running.moves import Address, Move, address_of, moves

HOSTS = ("127.0.0.1", "127.0.0.2", "0.0.0.0", "::", "::1")  # noqa: S104  Nothing is bound.
Listeners = tuple[JsonObject, ...]


def listener(service: str, host: str, port: int) -> JsonObject:
    address: JsonObject = {"socket_address": {"address": host, "port_value": port}}
    return {"name": f"{service}@{host}:{port}", "address": address}


def at(one: JsonObject) -> Address:
    found = address_of(one)
    assert found is not None
    return found


def stand_together(listeners: Listeners) -> bool:
    pairs = itertools.combinations(map(at, listeners), 2)
    return not any(one == other or one.excludes(other) for one, other in pairs)


LISTENERS = (
    st.dictionaries(
        st.sampled_from("abcd"),
        st.tuples(st.sampled_from(HOSTS), st.integers(1, 3)),
    )
    .map(lambda found: tuple(listener(name, *place) for name, place in found.items()))
    .filter(stand_together)
)


def take(present: Listeners, move: Move) -> Listeners:
    """What is there after a move; fails where Envoy could not take it.

    It removes first, hands the socket of what goes to what comes at the same address, and closes
    the other sockets only a moment later.
    """
    assert stand_together(move.listeners)
    goes = {at(one) for one in present if one not in move.listeners}
    for one in move.listeners:
        if one not in present:
            assert not any(at(one).excludes(open_still) for open_still in goes), one
    return move.listeners


@given(held=LISTENERS, wanted=LISTENERS)
def test_every_move_can_be_taken_and_the_last_is_what_is_wanted(
    held: Listeners, wanted: Listeners
) -> None:
    present = held
    planned = moves(held, wanted)
    assert len(planned) <= 3
    for move in planned:
        present = take(present, move)
        assert {str(one) for one in held if one in wanted} <= {str(one) for one in present}
    assert present == wanted


@given(held=LISTENERS, wanted=LISTENERS)
def test_what_goes_serves_until_what_comes_beside_it_is_there(
    held: Listeners, wanted: Listeners
) -> None:
    """Else a port that turns out to be taken would cost the listener that moved there."""
    leaving = [one for one in held if one not in wanted]
    first = moves(held, wanted)[0]
    free = [
        one
        for one in wanted
        if one not in held
        and not any(at(one) == at(old) or at(one).excludes(at(old)) for old in leaving)
    ]
    if free and leaving:
        assert all(one in first.listeners for one in (*free, *leaving))


def test_two_that_swap_do_so_in_one_update() -> None:
    held = (listener("a", "127.0.0.1", 1), listener("b", "127.0.0.1", 2))
    wanted = (listener("a", "127.0.0.1", 2), listener("b", "127.0.0.1", 1))
    assert moves(held, wanted) == (Move(listeners=wanted),)


def test_what_opens_to_all_waits_until_the_single_address_is_free() -> None:
    held = (listener("a", "127.0.0.1", 1), listener("b", "127.0.0.1", 2))
    wanted = (listener("a", "0.0.0.0", 1), held[1])  # noqa: S104  Nothing is bound.
    opened = Address(host="0.0.0.0", port=1)  # noqa: S104
    assert moves(held, wanted) == (
        Move(listeners=(held[1],)),
        Move(listeners=wanted, free=(opened,)),
    )


def test_names_without_an_address_of_an_earlier_version_are_followed() -> None:
    old = {**listener("a", "::1", 1), "name": "a"}
    wanted = (listener("a", "0:0::1", 1),)
    assert moves((old,), wanted) == (Move(listeners=wanted),), "one address, however written"


@pytest.mark.parametrize(
    "place",
    [None, {}, {"socket_address": {"address": "x", "port_value": 1}}, {"socket_address": 5}],
)
def test_a_listener_of_unknown_address_stands_in_nobodys_way(place: JsonObject | None) -> None:
    odd: JsonObject = {"name": "odd", "address": place}
    assert address_of(odd) is None
    wanted = (listener("a", "127.0.0.1", 1),)
    assert moves((odd,), wanted)[-1] == Move(listeners=wanted)
