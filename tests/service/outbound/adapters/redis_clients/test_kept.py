"""Which answers of Redis are kept."""

import math
from typing import Any

import pytest

from mainstay.service.outbound.adapters.asked import KEPT_BYTES_MAX
from mainstay.service.outbound.adapters.redis_clients.kept import size_of


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
