"""Which priority a request has, and how much room each priority has."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.service.inbound.admission.made import CRITICAL, HIGH, LOW, MEDIUM, exchange

from mainstay.service.inbound.admission.priorities import Priorities, bounds
from mainstay.spec.shed import Priorities as Declared
from mainstay.spec.shed import Shed

EVERY = (True, True, True, True)
ROUTES = Declared(
    critical=("/checkout", "/users/*/pay"),
    high=("/cart",),
    medium=("/reports/today",),
    low=("/reports", "/checkout/preview"),
)


@pytest.mark.parametrize(
    ("path", "priority"),
    [
        ("/checkout", CRITICAL),
        ("/checkout/17", CRITICAL),
        ("/checkouts", MEDIUM),
        ("/checkout/preview", LOW),
        ("/users/7/pay", CRITICAL),
        ("/users/7/8/pay", MEDIUM),
        ("/cart", HIGH),
        ("/reports/2025", LOW),
        ("/reports/today", MEDIUM),
        ("/", MEDIUM),
        ("", MEDIUM),
    ],
)
def test_the_longest_path_that_fits_says_the_priority(path: str, priority: int) -> None:
    assert Priorities(Shed(priorities=ROUTES)).of(exchange(0.0, path=path)) == priority


@pytest.mark.parametrize(
    ("word", "trusted", "priority"),
    [
        (b"critical", True, CRITICAL),
        (b"low", True, LOW),
        (b"critical", False, HIGH),
        (b"Critical!", True, HIGH),
        (b"", True, HIGH),
        (None, True, HIGH),
    ],
)
def test_a_trusted_peers_word_goes_before_the_path(
    *, word: bytes | None, trusted: bool, priority: int
) -> None:
    priorities = Priorities(Shed(priorities=ROUTES, header="X-Request-Priority"))
    headers = {b"x-request-priority": word}
    one = exchange(0.0, path="/cart", trusted=trusted, get=headers.get)
    assert priorities.of(one) == priority


def test_nobodys_word_counts_unless_a_header_is_declared() -> None:
    one = exchange(0.0, trusted=True, get={b"x-request-priority": b"critical"}.get)
    assert Priorities(Shed()).of(one) == MEDIUM


@pytest.mark.parametrize(
    ("options", "used"),
    [
        (Shed(), (False, False, True, False)),
        (Shed(priorities=Declared(critical=("/a",))), (True, False, True, False)),
        (Shed(header="X-Request-Priority"), EVERY),
    ],
)
def test_what_can_occur(options: Shed, used: tuple[bool, ...]) -> None:
    assert Priorities(options).used == used


def test_medium_has_all_of_the_limit_where_nothing_is_above_it() -> None:
    assert bounds(100, (False, False, True, False))[MEDIUM] == 100
    assert bounds(100, (False, False, True, True)) == (100, 100, 100, 77)


def test_each_priority_has_its_share() -> None:
    assert bounds(100, EVERY) == (100, 95, 90, 70)


def test_of_a_small_limit_each_has_a_place_more_than_the_next() -> None:
    assert bounds(4, EVERY) == (4, 3, 2, 1)
    assert bounds(1, EVERY) == (1, 1, 1, 1)
    assert bounds(3, (True, False, True, False)) == (3, 2, 2, 1)


@given(
    limit=st.integers(1, 100_000),
    used=st.tuples(*[st.booleans()] * 4).filter(any),
)
def test_bounds_never_grow_towards_the_less_important_and_are_never_nothing(
    limit: int, used: tuple[bool, ...]
) -> None:
    found = bounds(limit, used)
    assert found[used.index(True)] == limit
    assert all(above >= below for above, below in itertools.pairwise(found))
    assert all(1 <= one <= limit for one in found)
