"""How often something may be done: what is asked, what is answered, and the decision. No clock.

``service.inbound.ratelimit`` asks, and keeps limits in the memory of the process; ``state.limits``
keeps them in Valkey, by the same arithmetic in a script. Both planes know these values, and neither
the other.

The decision is the generic cell rate algorithm: the whole state of a bucket is one number, the
moment at which it is empty again. Source: ITU-T I.371 (virtual scheduling).
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

SLACK_CALLS = 0.01
"""A call is let through so much of its interval early, so that the rounding of sums of floating
numbers neither swallows the last call of a burst nor one that waited as long as it was told. The
rate in the long run is not touched: the next call is due as late as ever."""


class Ask(NamedTuple):
    """One limit that a call must pass.

    Attributes:
        key: Which bucket: limit and whom it counts for. The keys of one take differ.
        every_s: Seconds between two calls at the limit's rate; above 0, finite.
        burst: Calls at once after a pause, from 1.
        cost: How many calls this one counts as; 0 only looks.
    """

    key: str
    every_s: float
    burst: int
    cost: int = 1


class Answer(NamedTuple):
    """What one limit says.

    Attributes:
        allowed: Whether this limit lets the call pass. Others that were asked may not; then nothing
            was taken from any, and the other values are those before the call.
        remaining: Calls that would still pass now, after this one.
        retry_after_s: Seconds until the same call would pass; 0 where it does, infinite where it
            costs more than the burst.
        reset_after_s: Seconds until the bucket is empty, which is when the whole burst is back.
    """

    allowed: bool
    remaining: int
    retry_after_s: float
    reset_after_s: float


Answers = tuple[Answer, ...]
"""One for each ask, in their order."""

NEVER_S = -math.inf
"""The ``due_s`` of a bucket that nobody took from."""


def gcra(
    due_s: float, now_s: float, every_s: float, burst: int, cost: int = 1
) -> tuple[float, Answer]:
    """Take one call out of one bucket.

    Args:
        due_s: When the bucket is empty, by the clock of ``now_s``; NEVER_S for a new one.
        now_s: The present. A clock that was set back, or a limit that became stricter, costs no
            more than a full bucket.
        every_s: As in ``Ask``, and so are the following.
        burst: Of the bucket.
        cost: Of the call.

    Returns:
        When the bucket is empty now, which is as before where the call may not pass; the answer.
    """
    full_s = every_s * burst
    held_s = due_s - now_s
    # A bucket is never emptier than empty nor fuller than full.
    if held_s <= 0.0:
        due_s, held_s = now_s, 0.0
    elif held_s > full_s:
        due_s, held_s = now_s + full_s, full_s
    step_s = every_s * cost
    allowed = held_s + step_s - full_s <= every_s * SLACK_CALLS
    if allowed:
        due_s += step_s
        held_s = due_s - now_s
    return due_s, answer_of(allowed, held_s, every_s, burst, cost)


def answer_of(allowed: bool, held_s: float, every_s: float, burst: int, cost: int) -> Answer:  # noqa: FBT001  By position: for every call.
    """Return what a bucket says.

    Args:
        allowed: Whether the call passes.
        held_s: Seconds until the bucket is empty: with the call in it, where it was taken.
        every_s: As in ``Ask``, and so are the following.
        burst: Of the bucket.
        cost: Of the call.
    """
    full_s = every_s * burst
    wait_s = 0.0
    if not allowed:
        wait_s = math.inf if cost > burst else max(0.0, held_s + every_s * cost - full_s)
    return Answer(allowed, int((full_s - held_s) / every_s + SLACK_CALLS), wait_s, held_s)


def gcra_all(
    dues_s: Sequence[float], asks: Sequence[Ask], now_s: float
) -> tuple[tuple[float, ...], Answers]:
    """Take one call out of several buckets: out of all, or out of none.

    Args:
        dues_s: When each bucket is empty; as many as asks.
        asks: The limits that the call must pass.
        now_s: The present, by the clock of ``dues_s``.

    Returns:
        When each is empty now; the answers.
    """
    taken = [
        gcra(due_s, now_s, ask.every_s, ask.burst, ask.cost)
        for due_s, ask in zip(dues_s, asks, strict=True)
    ]
    if not all(answer.allowed for _, answer in taken):
        # A bucket that only looked fuller than full, to a clock that was set back, stays full: it
        # would refuse until the clock has caught up.
        taken = [
            gcra(due_s, now_s, ask.every_s, ask.burst, 0) if answer.allowed else (left_s, answer)
            for due_s, ask, (left_s, answer) in zip(dues_s, asks, taken, strict=True)
        ]
    return tuple(due_s for due_s, _ in taken), tuple(answer for _, answer in taken)
