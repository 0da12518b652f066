"""The scope of what runs now, carried by a context variable: until when, and who retries it."""

import contextlib
import math
from contextvars import ContextVar, Token
from typing import ClassVar

from mainstay.core.clock import Clock
from mainstay.core.errors import PolicyMisused


class Scope:
    """What holds for the code within: until when it may run, and which layers retry it.

    One object for both, because setting a context variable is dear and every call does it. It
    does not change once it is made, so tasks that inherit it may share it.

    Attributes:
        clock: Whose time ``expires_s`` is.
        expires_s: Monotonic seconds of the clock; infinite where nothing bounds the time.
        retrying: Names of the policies that try this code again when it fails, outer first.
        outer: The scope around this one, or None.
        home: Of a region's alone: tells the context in which it is current; None once it was left.
        traced: Whether scopes of this class have a trace, which is that of what runs within; see
            ``core.trace``.
    """

    __slots__ = ("clock", "expires_s", "home", "outer", "retrying")

    traced: ClassVar[bool] = False
    clock: Clock
    expires_s: float
    retrying: tuple[str, ...]
    outer: "Scope | None"
    home: "Token[Scope | None] | None"

    def silence(self, error: BaseException | None) -> bool:  # noqa: ARG002  What an alarm needs.
        """End what was to happen when it expires; see ``Alarm``.

        Returns:
            Whether ``error`` is what happened: never, since a mere scope interrupts nobody.
        """
        return False


def new_scope(
    clock: Clock, expires_s: float, retrying: tuple[str, ...], outer: Scope | None
) -> Scope:
    """Return a scope. Its class has no constructor, which would double the cost of making one."""
    scope = Scope()
    scope.clock = clock
    scope.expires_s = expires_s
    scope.retrying = retrying
    scope.outer = outer
    return scope


class RegionScope(Scope):
    """The scope of the body of a ``with``.

    Attributes:
        region: The object whose ``with`` made it.
    """

    __slots__ = ("region",)

    region: object


def region_scope(expires_s: float, clock: Clock, region: object, *, free: bool = False) -> Scope:
    """Return the scope of a ``with`` in what runs now.

    Args:
        expires_s: When it expires, by ``clock``.
        clock: Whose time that is.
        region: The object whose ``with`` it is.
        free: Whether it forgets the layers that retry what runs now.
    """
    scope = RegionScope()
    scope.clock = clock
    scope.expires_s = expires_s
    scope.outer = CURRENT.get()
    scope.retrying = () if scope.outer is None or free else scope.outer.retrying
    scope.region = region
    return scope


CURRENT: ContextVar[Scope | None] = ContextVar("mainstay_scope", default=None)
"""The scope of what runs now. Who sets it sets it back, in the same task."""

# Bound once: looking a method up for every call costs a tenth of the call.
current = CURRENT.get
enter = CURRENT.set
back = CURRENT.reset


def restore(token: "Token[Scope | None]") -> None:
    """Make the scope current again that was when the token was made.

    A coroutine that is thrown away half done may be closed from anywhere: then there is nothing to
    restore, since its own context is gone.
    """
    with contextlib.suppress(ValueError):
        CURRENT.reset(token)


def expiry_s(scope: Scope | None, clock: Clock) -> float:
    """Return when ``scope`` expires, in monotonic seconds of ``clock``; infinite for no scope."""
    if scope is None or scope.expires_s == math.inf:
        return math.inf
    if scope.clock is clock:
        return scope.expires_s
    # Clocks share no zero, but what is left is the same by each.
    return scope.expires_s - scope.clock.monotonic_s() + clock.monotonic_s()


def enter_region(scope: Scope) -> None:
    """Make the scope of a region current."""
    scope.home = CURRENT.set(scope)


def leave_region(scope: Scope, around: Scope | None) -> None:
    """Make the scope around that of a region current.

    In a copy of the context in which it began, as where a generator is closed from elsewhere, it
    stays the current one there; so it bounds nothing any more.

    Args:
        scope: The current one, which ``enter_region`` made current.
        around: What is current from now on.
    """
    home, scope.home = scope.home, None
    if home is not None:
        try:
            CURRENT.reset(home)
        except ValueError:
            scope.expires_s = expiry_s(scope.outer, scope.clock)
        else:
            if around is scope.outer:
                return
    CURRENT.set(around)


def leave(region: object) -> Scope:
    """Make the scope around that of ``region`` current again, and return the one that was left.

    Raises:
        PolicyMisused: Scopes are not left in the order in which they were entered.
    """
    scope = CURRENT.get()
    if scope is None or getattr(scope, "region", None) is not region:
        raise PolicyMisused("regions must be left in the reverse order, and where they were begun")
    leave_region(scope, scope.outer)
    return scope
