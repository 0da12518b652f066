"""What callers say about the code within a ``with``: deadlines, keys, and who collects marks."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from mainstay.core.clock import SYSTEM_CLOCK, Clock
from mainstay.core.deadline import DeadlineRegion
from mainstay.service.outbound.quantity import Duration, Options

MARKS_MAX = 64
"""So many degraded answers are told of one piece of work; further ones change nothing."""

KEY_MAX = 256

_KEY: ContextVar[str | None] = ContextVar("mainstay_key", default=None)
_MARKS: ContextVar["list[Degraded] | None"] = ContextVar("mainstay_marks", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Degraded:
    """An answer stands in for the real one.

    Attributes:
        policy: Whose call it was.
        source: value, function, or last_good.
        reason: The type of the error that it stands in for.
        age_s: How old a last good answer is, else None.
    """

    policy: str
    source: str
    reason: str
    age_s: float | None = None


def deadline(within: Duration, *, clock: Clock = SYSTEM_CLOCK) -> DeadlineRegion:
    """Return a region, for ``with`` and ``async with``, that must be done within a time.

    A nested one, and every call of a policy within, gets the least of what is left and its own.
    ``async with`` cuts its body off with DeadlineExceeded. ``with`` can't: there the time bounds
    the clients that know of it, and no call begins when it has passed.

    Args:
        within: Seconds, or text such as ``800ms``; zero has already passed.
        clock: Where time comes from.

    Raises:
        ConfigInvalid: Not a duration.
    """
    if isinstance(within, float) and within >= 0.0:
        # What middleware does for every request: a number that was read from a header.
        return DeadlineRegion(within, clock)
    options = Options("deadline")
    within_s = options.seconds("within", within, minimum=0.0)
    options.done()
    return DeadlineRegion(within_s, clock)


@contextmanager
def keyed(key: str) -> Iterator[None]:
    """Say whose calls are made within: a bulkhead with ``per_key`` counts them by this.

    Raises:
        ConfigInvalid: Not a text of 1 to 256 characters.
    """
    options = Options("keyed")
    options.text("key", key, KEY_MAX)
    options.done()
    token = _KEY.set(key)
    try:
        yield
    finally:
        _KEY.reset(token)


def current_key() -> str | None:
    """Return the key of what runs now, or None."""
    return _KEY.get()


@contextmanager
def degraded() -> Iterator[list[Degraded]]:
    """Collect the marks of degraded answers within.

    ::

        with degraded() as marks:
            answer = quote(order)
        if marks: ...

    The list grows as answers are degraded, in tasks begun within too. Of nested ones, each
    collects its own; the outer one gets them when the inner ends.
    """
    outer = _MARKS.get()
    marks: list[Degraded] = []
    token = _MARKS.set(marks)
    try:
        yield marks
    finally:
        _MARKS.reset(token)
        if outer is not None:
            outer.extend(marks[: MARKS_MAX - len(outer)])


def mark(one: Degraded) -> None:
    """Tell whoever collects that an answer was degraded."""
    marks = _MARKS.get()
    if marks is not None and len(marks) < MARKS_MAX:
        marks.append(one)
