"""Policies made from another: for calls that hold their place already, or wait by themselves."""

from dataclasses import replace

from mainstay.core.errors import PolicyMisused
from mainstay.service.outbound.adapters.outcome import judging_results
from mainstay.service.outbound.plan import Plan
from mainstay.service.outbound.policy import Policy


def within_place(policy: Policy) -> Policy:
    """Return a policy for single attempts by who holds a place in the bulkhead already.

    Deadline, breaker and attempt timeout hold; state is shared. What is done on one connection in
    a row can't be repeated or answered otherwise halfway: there are no retries and no fallback.
    """
    return policy.derived(_within_place)


def unhurried(policy: Policy) -> Policy:
    """Return a policy for calls that wait by themselves and say for how long.

    Only the caller's deadline holds: the policy's own time bounds are for calls that should answer
    at once. What certainly never left is tried again.
    """
    return policy.once.derived(_unhurried)


def unanswered(policy: Policy) -> Policy:
    """Return a policy for calls that nothing may stand in for; all else is as it was."""
    return policy.derived(_unanswered)


def started(policy: Policy) -> Policy:
    """Return a policy for the beginning of streams, whose end is counted by who makes them.

    Bulkhead and rate limit hold; of time, only the caller's deadline: streams may be long. There is
    no result yet that could be judged.
    """
    return policy.derived(_started)


def bulkhead_of(policy: Policy, what: str) -> int:
    """Return how many calls may be in flight, which is how many connections there can be.

    Args:
        policy: Any.
        what: Who asks: ``a Redis client``.

    Raises:
        PolicyMisused: The policy has no bulkhead, so nothing would bound the connections.
    """
    slots = policy.plan.slots
    if slots is None:
        raise PolicyMisused(
            f"{policy.name}: {what} needs a bulkhead: Policy(bulkhead=Bulkhead(limit=20))"
        )
    return slots.options.limit


def _unanswered(plan: Plan) -> Plan:
    plan = judging_results(plan)
    return plan if plan.fallback is None else replace(plan, fallback=None, last_good=None)


def _within_place(plan: Plan) -> Plan:
    return replace(
        judging_results(plan),
        slots=None,
        limiter=None,
        retry=None,
        budget=None,
        hedge=None,
        fallback=None,
        last_good=None,
        special=plan.fault is not None,
    )


def _started(plan: Plan) -> Plan:
    return replace(
        _within_place(_unhurried(plan)),
        slots=plan.slots,
        limiter=plan.limiter,
        circuit=None,
        retries_result=None,
        fails_result=None,
    )


def _unhurried(plan: Plan) -> Plan:
    return replace(
        plan, total_s=None, bound=None, least_s=0.0, timed=False, latency=None, scoped=True
    )
