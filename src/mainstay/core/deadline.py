"""The one deadline of what is going on, carried by a context variable.

A ``DeadlineRegion`` bounds what runs within it; a nested one is the lesser of what is left and
its own. Asynchronous code is interrupted when the time is up. Synchronous code can't be: there,
clients read ``remaining_s()`` for their own timeouts, and no call begins without time left.
"""

import math
from contextvars import ContextVar
from types import TracebackType
from typing import TYPE_CHECKING

from mainstay.core.clock import SYSTEM_CLOCK, Clock
from mainstay.core.errors import DeadlineExceeded, PolicyMisused

if TYPE_CHECKING:
    from mainstay.core.alarm import Alarm


class Scope:
    """What holds for the code within: until when it may run, and which layers retry it.

    One object for both, because setting a context variable is dear and every call does it. It
    does not change once it is made, so tasks that inherit it may share it.

    Attributes:
        clock: Whose time ``expires_s`` is.
        expires_s: Monotonic seconds of the clock; infinite where nothing bounds the time.
        retrying: Names of the policies that try this code again when it fails, outer first.
        outer: The scope around this one, or None.
        region: The object whose ``with`` made it, or None.
    """

    __slots__ = ("__weakref__", "clock", "expires_s", "outer", "region", "retrying")

    def __init__(
        self,
        clock: Clock,
        expires_s: float,
        retrying: tuple[str, ...],
        outer: "Scope | None",
        region: object = None,
    ) -> None:
        self.clock = clock
        self.expires_s = expires_s
        self.retrying = retrying
        self.outer = outer
        self.region = region


CURRENT: ContextVar[Scope | None] = ContextVar("mainstay_scope", default=None)
"""The scope of what runs now. Who sets it sets it back to ``outer``, in the same task."""


def expiry_s(scope: Scope | None, clock: Clock) -> float:
    """Return when ``scope`` expires, in monotonic seconds of ``clock``; infinite for no scope."""
    if scope is None or scope.expires_s == math.inf:
        return math.inf
    if scope.clock is clock:
        return scope.expires_s
    # Clocks share no zero, but what is left is the same by each.
    return scope.expires_s - scope.clock.monotonic_s() + clock.monotonic_s()


def remaining_s() -> float | None:
    """Return the seconds left for what runs now, 0 when the time is up, None where nobody said."""
    scope = CURRENT.get()
    if scope is None or scope.expires_s == math.inf:
        return None
    return max(0.0, scope.expires_s - scope.clock.monotonic_s())


def leave(region: object) -> Scope:
    """Make the scope around that of ``region`` current again, and return the one that was left.

    Raises:
        PolicyMisused: Scopes are not left in the order in which they were entered.
    """
    scope = CURRENT.get()
    if scope is None or scope.region is not region:
        raise PolicyMisused("regions must be left in the reverse order, and where they were begun")
    CURRENT.set(scope.outer)
    return scope


class DeadlineRegion:
    """``with`` or ``async with`` bounds what is within. One may be entered many times at once.

    Nothing about an entry is kept here, so that tasks and threads may share it; what began is
    the current scope, which is the task's or the thread's own.
    """

    __slots__ = ("_clock", "_within_s")

    def __init__(self, within_s: float, clock: Clock) -> None:
        self._within_s = within_s
        self._clock = clock

    def _expires_s(self, outer: Scope | None) -> float:
        own_s = self._clock.monotonic_s() + self._within_s
        return min(own_s, expiry_s(outer, self._clock))

    def __enter__(self) -> None:
        outer = CURRENT.get()
        retrying = () if outer is None else outer.retrying
        CURRENT.set(Scope(self._clock, self._expires_s(outer), retrying, outer, self))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        leave(self)

    async def __aenter__(self) -> None:
        # Only here: synchronous programs need not load asyncio.
        from mainstay.core.alarm import set_alarm  # noqa: PLC0415

        outer = CURRENT.get()
        retrying = () if outer is None else outer.retrying
        expires_s = self._expires_s(outer)
        CURRENT.set(set_alarm(self._clock, expires_s, retrying, outer, None, self))

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        alarm: Alarm = leave(self)  # type: ignore[assignment]  # What __aenter__ made.
        if alarm.silence(error):
            raise DeadlineExceeded(f"not done within {self._within_s:.3g} s", begun=True) from error


class DetachedRegion:
    """``with`` frees what is within from every deadline, and from layers that retry it."""

    __slots__ = ()

    def __enter__(self) -> None:
        CURRENT.set(Scope(SYSTEM_CLOCK, math.inf, (), CURRENT.get(), self))

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
