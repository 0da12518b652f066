"""When an Envoy counts as hung. No real time: the pauses are none."""

import asyncio
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.errors import EdgeUnavailable
from mainstay.edge.running.admin import AdminAnswerBroken, AdminSocketGone
from mainstay.edge.running.watch import wait_until_hung

MISS, GONE, LIFE = EdgeUnavailable("silence"), AdminSocketGone("no socket"), None
Said = list[EdgeUnavailable | None]


class Enough(Exception):
    """The script is at its end, and nothing was found to hang."""


def asked(script: Said) -> tuple[Callable[[], object], Iterator[EdgeUnavailable | None]]:
    lines = iter(script)

    async def ask() -> None:
        try:
            said = next(lines)
        except StopIteration:
            raise Enough from None
        if said is not None:
            raise said

    return ask, lines


def questions_until_hung(script: Said, misses_max: int) -> int | None:
    """How many questions were asked until it counted as hung; None where it never did."""
    ask, lines = asked(script)
    try:
        asyncio.run(wait_until_hung(ask, every_s=0, misses_max=misses_max))  # type: ignore[arg-type]  # A coroutine function.
    except Enough:
        return None
    return len(script) - len(list(lines))


@given(
    script=st.lists(st.sampled_from([MISS, GONE, LIFE]), max_size=12), misses_max=st.integers(1, 4)
)
def test_only_misses_in_a_row_are_a_hang(script: Said, misses_max: int) -> None:
    expected = next(
        (
            end
            for end in range(misses_max, len(script) + 1)
            if all(said is MISS for said in script[end - misses_max : end])
        ),
        None,
    )
    assert questions_until_hung(script, misses_max) == expected


@pytest.mark.parametrize("error", [EdgeUnavailable("late"), AdminAnswerBroken("nonsense")])
def test_an_answer_that_is_none_is_a_miss(error: EdgeUnavailable) -> None:
    assert questions_until_hung([error, error], 2) == 2
