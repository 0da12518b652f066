"""The one deadline of what is going on, carried by a context variable.

A ``DeadlineRegion`` bounds what runs within it; a nested one is the lesser of what is left and
its own. Asynchronous code is interrupted when the time is up. Synchronous code can't be: there,
clients read ``remaining_s()`` for their own timeouts, and no call begins without time left.
"""

import math
from types import TracebackType

from mainstay.core.clock import SYSTEM_CLOCK, Clock
from mainstay.core.errors import DeadlineExceeded
from mainstay.core.scope import CURRENT, Scope, enter_region, expiry_s, leave, region_scope


def remaining_s() -> float | None:
    """Return the seconds left for what runs now, 0 when the time is up, None where nobody said."""
    scope = CURRENT.get()
    if scope is None or scope.expires_s == math.inf:
        return None
    return max(0.0, scope.expires_s - scope.clock.monotonic_s())


class DeadlineRegion:
    """``with`` or ``async with`` bounds what is within. One may be entered many times at once.

    Nothing about an entry is kept here, so that tasks and threads may share it; what began is
    the current scope, which is the task's or the thread's own.

    Leaving it raises ``DeadlineExceeded`` where its own alarm interrupted the task, and
    ``PolicyMisused`` where regions are not left in the reverse order. Entering it by ``async with``
    outside of a task raises ``PolicyMisused``.

    Args:
        within_s: Seconds from each entry; what is left of a deadline around it may be less.
        clock: Measures them.
    """

    __slots__ = ("_clock", "_within_s")

    def __init__(self, within_s: float, clock: Clock) -> None:
        self._within_s = within_s
        self._clock = clock

    def _expires_s(self, outer: Scope | None) -> float:
        own_s = self._clock.monotonic_s() + self._within_s
        return min(own_s, expiry_s(outer, self._clock))

    def __enter__(self) -> None:
        enter_region(region_scope(self._expires_s(CURRENT.get()), self._clock, self))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        leave(self)

    async def __aenter__(self) -> None:
        # Only here: synchronous programs need not load asyncio.
        from mainstay.core.alarm import region_alarm  # noqa: PLC0415

        outer = CURRENT.get()
        retrying = () if outer is None else outer.retrying
        expires_s = self._expires_s(outer)
        enter_region(region_alarm(self._clock, expires_s, retrying, outer, self))

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if leave(self).silence(error):
            raise DeadlineExceeded(f"not done within {self._within_s:.3g} s", begun=True) from error


class DetachedRegion:
    """``with`` frees what is within from every deadline, and from layers that retry it."""

    __slots__ = ()

    def __enter__(self) -> None:
        enter_region(region_scope(math.inf, SYSTEM_CLOCK, self, free=True))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        leave(self)


def detach() -> DetachedRegion:
    """Return a region that no deadline bounds: for work that goes on when the caller is gone.

    A task begun within it is free of its caller's deadline too::

        with detach():
            background = asyncio.create_task(send_receipt(order))
    """
    return DetachedRegion()
