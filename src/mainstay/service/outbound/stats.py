"""A snapshot of a policy, for people, tests and dashboards."""

from dataclasses import dataclass

from mainstay.service.outbound.plan import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """What a policy holds at one moment. None: the policy has no such part.

    Attributes:
        name: The policy's.
        state: closed, open or half_open.
        mode: enforce, shadow, disabled or forced_open.
        failures_in_a_row: Since the last success.
        retry_after_s: Until a call may be let through; None also where the circuit is not open.
        in_flight: Calls in the bulkhead.
        waiting: Calls before it.
        calls: Calls counted by the budget.
        budget_left: Further attempts that could be made now.
        budget_spent: Those that were.
        budget_denied: Those that were not, for want of budget.
        attempt_timeout_s: What an attempt may take now.
        p50_s: Half of recent attempts took no longer; needs ``auto`` or a hedge by percentile.
        p99_s: As few as one in a hundred took longer.
    """

    name: str
    state: str | None
    mode: str | None
    failures_in_a_row: int | None
    retry_after_s: float | None
    in_flight: int | None
    waiting: int | None
    calls: int | None
    budget_left: int | None
    budget_spent: int | None
    budget_denied: int | None
    attempt_timeout_s: float | None
    p50_s: float | None
    p99_s: float | None


def stats_of(plan: Plan) -> Stats:
    """Return the snapshot of a plan."""
    now_s = plan.now()
    circuit, slots, budget = plan.circuit, plan.slots, plan.budget
    counts = {} if circuit is None else circuit.counts()
    waits = circuit is not None and circuit.opened_until_s() is not None
    return Stats(
        name=plan.name,
        state=None if circuit is None else str(counts["state"]),
        mode=None if circuit is None else str(counts["mode"]),
        failures_in_a_row=None if circuit is None else int(counts["failures_in_a_row"]),
        retry_after_s=circuit.retry_after_s(now_s) if circuit is not None and waits else None,
        in_flight=None if slots is None else slots.in_flight(),
        waiting=None if slots is None else slots.waiting(),
        calls=None if budget is None else budget.calls,
        budget_left=None if budget is None else budget.left(now_s),
        budget_spent=None if budget is None else budget.spent,
        budget_denied=None if budget is None else budget.denied,
        attempt_timeout_s=None if plan.bound is None else plan.bound.timeout_s,
        p50_s=None if plan.latency is None else plan.latency.percentile_s(0.5),
        p99_s=None if plan.latency is None else plan.latency.percentile_s(0.99),
    )
