"""What the breaker is told of checkouts: their failures. That a connection answers is no success.

Else a database whose every statement hangs would never be found out: between two statements, a
look at the connection would say that all is well.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from mainstay.core.errors import MainstayError
from mainstay.core.scope import CURRENT, expiry_s
from mainstay.service.outbound.course import admit, tell_change
from mainstay.service.outbound.plan import Plan

_ROUNDING_S = 0.002


class Witness:
    """Tells the breaker how the attempts of one checkout failed.

    Args:
        plan: With or without a breaker.
        permit: The breaker's, for the whole checkout.
        callers_s: When the caller's deadline is. That it passed is no failure.
    """

    __slots__ = ("_callers_s", "_permit", "_plan")

    def __init__(self, plan: Plan, permit: int, callers_s: float) -> None:
        self._plan = plan
        self._permit = permit
        self._callers_s = callers_s

    def failed(self, error: MainstayError, began_s: float) -> None:
        """Tell of an attempt that began at ``began_s`` and ended with ``error``."""
        plan, now_s = self._plan, self._plan.now()
        callers = isinstance(error, TimeoutError) and now_s >= self._callers_s - _ROUNDING_S
        if plan.circuit is not None and not callers and plan.fails(error):
            took_s = now_s - began_s
            tell_change(plan, plan.circuit.failed(self._permit, now_s=now_s, took_s=took_s))


@contextmanager
def witnessed(plan: Plan) -> Iterator[Witness]:
    """Ask the breaker about a checkout, and give its permit back at the end.

    Raises:
        CircuitOpen: The database fails.
    """
    circuit = plan.circuit
    permit = 0 if circuit is None else circuit.closed or admit(plan)
    try:
        yield Witness(plan, permit, expiry_s(CURRENT.get(), plan.clock))
    finally:
        if circuit is not None:
            # After a failure this changes nothing.
            circuit.released(permit)
