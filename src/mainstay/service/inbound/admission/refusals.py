"""The refusals of admission, made once: under overload they are the most frequent answer."""

from random import Random

from mainstay.service.inbound.problems.refusal import Refusal

RETRY_AFTER_S_MAX = 5
"""Clients come back after 1 to so many seconds, at random: not all in the same moment, and late
enough that a burst is over."""

TIME_IS_UP = Refusal.of(
    "deadline-exceeded", "The time for an answer was up before the request was begun."
)

_OVERLOADED = tuple(
    Refusal.of(
        "overloaded",
        "The service has more to do than it can; this request was not begun.",
        ((b"retry-after", str(seconds).encode()),),
    )
    for seconds in range(1, RETRY_AFTER_S_MAX + 1)
)


def overloaded(rng: Random) -> Refusal:
    """Return a 503 that asks the client to come back after a while, chosen by chance."""
    return _OVERLOADED[int(rng.random() * RETRY_AFTER_S_MAX)]
