"""Why callers are sent away, in words that end a sentence and hold no address and no secret."""

import os

LATE = "it did not answer in time"
NOT_OPEN = "it could not be reached in time"
UNTAKEN = "it does not take what is sent"
ENDED = "its connection ended"
GARBAGE = "it does not speak RESP"
TOO_LONG = "its answer is too long"
UNASKED = "it said what nobody asked"
CROWDED = "too many calls wait for it"
CLOSED = "it was closed"


def unreachable(error: Exception) -> str:
    """Return why a connection could not be opened."""
    return f"it can't be reached: {_said(error)}"


def broken(error: Exception) -> str:
    """Return how a connection broke."""
    return f"its connection broke: {_said(error)}"


def _said(error: Exception) -> str:
    # asyncio's own words hold the address, and a resolver's have numbers that are no errno.
    number = getattr(error, "errno", None)
    if isinstance(number, int) and number > 0:
        return os.strerror(number).lower()
    return str(getattr(error, "strerror", None) or error) or type(error).__name__
