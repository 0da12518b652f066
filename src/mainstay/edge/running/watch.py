"""Whether Envoy still answers: one that hangs has not ended, and yet serves nobody."""

import asyncio
from collections.abc import Awaitable, Callable

from mainstay.core.errors import EdgeUnavailable
from mainstay.edge.running.admin import AdminSocketGone

ASK_TARGET = "/ready"
"""Answered by Envoy's main thread, whatever the workers do; any status is a sign of life."""

ASK_EVERY_S = 1.0
ASK_TIMEOUT_S = 2.0
"""Of one question. It takes a millisecond; on a machine that is much too busy, a hundred."""

MISSES_MAX = 3
"""In a row, until Envoy counts as hung: with the two above, 6 to 9 s after it answered last."""


async def wait_until_hung(
    ask: Callable[[], Awaitable[object]],
    *,
    every_s: float = ASK_EVERY_S,
    misses_max: int = MISSES_MAX,
) -> None:
    """Return when ``ask`` failed ``misses_max`` times in a row; an answer in between forgives all.

    A socket that is gone is no miss: somebody deleted the folder, and Envoy may well serve.

    Args:
        ask: Asks Envoy for a sign of life within its own bound, or raises EdgeUnavailable.
        every_s: Pause between two questions.
        misses_max: At least 1.
    """
    misses = 0
    while misses < misses_max:
        await asyncio.sleep(every_s)
        try:
            await ask()
        except AdminSocketGone:
            misses = 0
        except EdgeUnavailable:
            misses += 1
        else:
            misses = 0
