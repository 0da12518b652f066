"""The bounds of a client have bounds."""

from collections.abc import Callable

import pytest

from mainstay.core.errors import PolicyMisused
from mainstay.state.valkey.bounds import Bounds


@pytest.mark.parametrize(
    "make",
    [
        lambda: Bounds(timeout_s=0.0),
        lambda: Bounds(timeout_s=float("nan")),
        lambda: Bounds(timeout_s=float("inf")),
        lambda: Bounds(outstanding_max=0),
        lambda: Bounds(connections_max=10**9),
    ],
)
def test_what_bounds_nothing_is_refused(make: Callable[[], Bounds]) -> None:
    with pytest.raises(PolicyMisused, match="is from"):
        make()


def test_half_of_a_tenth_of_a_second_is_the_default() -> None:
    assert Bounds().timeout_s == 0.05
