"""The plans that an engine makes of its policy's: for checkouts, and for transactions. Pure."""

from dataclasses import replace

from mainstay.core.errors import CallRejected, MainstayError, PolicyMisused
from mainstay.service.outbound.adapters.databases.failures import Kind, kind_of
from mainstay.service.outbound.plan import Plan


def for_checkout(plan: Plan) -> Plan:
    """Return the plan for getting a connection, which counts by itself.

    An attempt timeout holds. One that adapts does not: it knows statements, and a new connection
    may take longer than three times what they do. A connection is no result that could be judged.
    """
    bound = None if plan.bound is not None and plan.bound.auto else plan.bound
    return replace(
        _untimed(plan),
        bound=bound,
        timed=plan.total_s is not None or bound is not None,
        fallback=None,
        last_good=None,
        retries_result=None,
        fails_result=None,
        special=plan.fault is not None,
    )


def for_unit(plan: Plan) -> Plan:
    """Return the plan for a whole transaction.

    Checkouts and statements within pass bulkhead, rate limit and breaker by themselves.
    """
    return replace(_untimed(plan), slots=None, limiter=None, retries=helps_again, special=False)


def helps_again(error: BaseException) -> bool:
    """Return whether it may help to run a transaction again that ended with ``error``."""
    if isinstance(error, CallRejected | PolicyMisused):
        return False
    return isinstance(error, MainstayError) or is_contention(error)


def is_contention(error: BaseException) -> bool:
    """Return whether other transactions were in the way; ``error`` is SQLAlchemy's."""
    cause = getattr(error, "orig", None)
    return isinstance(cause, BaseException) and kind_of(cause) is Kind.CONTENTION


def _untimed(plan: Plan) -> Plan:
    """Return the plan without what is about single attempts; the deadline stays."""
    return replace(
        plan,
        circuit=None,
        bound=None,
        latency=None,
        least_s=0.0,
        timed=plan.total_s is not None,
        hedge=None,
    )
