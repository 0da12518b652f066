"""A compiled policy: the parts that a call meets, as state machines. No clock of its own."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random
from typing import Protocol

from mainstay.core.alarm import Lane
from mainstay.core.clock import Clock, pause
from mainstay.core.events import Listeners
from mainstay.core.scope import Scope, new_scope
from mainstay.service.outbound.attempt_timeout import AttemptTimeout, Bound
from mainstay.service.outbound.breaker.breaker import Breaker
from mainstay.service.outbound.breaker.circuit import Circuit
from mainstay.service.outbound.breaker.shared import Share
from mainstay.service.outbound.bulkhead import Bulkhead, Slots
from mainstay.service.outbound.failure import Matches, Results, matcher
from mainstay.service.outbound.fallback import Fallback, LastGood
from mainstay.service.outbound.hedge import Hedge, percentile_of
from mainstay.service.outbound.latency import Latency
from mainstay.service.outbound.quantity import Options
from mainstay.service.outbound.ratelimit import Limiter, RateLimit
from mainstay.service.outbound.retry.budget import Budget
from mainstay.service.outbound.retry.retry import Retry
from mainstay.service.outbound.total import Deadline

NAME_MAX = 200

_FAR_S = 60.0
"""Without a total of its own a call ends by its caller's deadline, which is mostly nearer."""


Shape = tuple[bool, ...]
"""The answers to FACTS for a plan. Plans of one shape share one object."""

FACTS = (
    "plan.slots is not None",
    "plan.slots.keyed",
    "plan.limiter is not None",
    "plan.budget is not None",
    "plan.circuit is not None",
    "plan.share is not None",
    "plan.bound is not None",
    "plan.total_s is not None",
    "plan.fallback is None",
    "plan.scoped",
    "plan.timed",
    "plan.clocked",
    "plan.observed",
    "plan.special",
)
"""What the shells ask about their plan; see ``specialised``."""

_SHAPES: dict[Shape, Shape] = {}


class FaultSource(Protocol):
    """Makes calls fail on purpose; ``mainstay.testing`` has one."""

    def befall(self) -> tuple[float, Exception | None]:
        """Return the seconds that a call waits first, and the error it then raises, if any."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The options of a policy, any subset; None: without that part.

    Attributes:
        fallback: What stands in for an answer.
        deadline: Bounds the whole call, attempts and pauses together.
        bulkhead: Bounds calls in flight.
        rate_limit: Bounds calls a second.
        retry: Whether and when to try again, within which budget.
        breaker: When calls are turned away for a while.
        attempt_timeout: Bounds one attempt.
        hedge: When a second attempt joins a slow first one.
    """

    fallback: Fallback | None = None
    deadline: Deadline | None = None
    bulkhead: Bulkhead | None = None
    rate_limit: RateLimit | None = None
    retry: Retry | None = None
    breaker: Breaker | None = None
    attempt_timeout: AttemptTimeout | None = None
    hedge: Hedge | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the shells run. Replaced as a whole when the options change, and never altered.

    A call reads it once and keeps to it. The state machines pass from plan to plan, so counts
    and slots stay.

    Attributes:
        parts: The options.
        name: The policy's.
        clock: Where time comes from.
        now: Its monotonic reading.
        rng: Chance, for jitter.
        events: Who listens.
        names: What a nested policy sees as the layers that retry it: this one, or none.
        total_s: The lesser of the deadline and the retries' total time, or None.
        lane: Where alarms for the end of the whole call are set.
        least_s: An attempt with no more time left than this does not begin.
        timed: Whether an attempt must be done at some time, whoever calls.
        scoped: Whether an attempt has a scope of its own: a bound, or a layer that retries.
        idle_scope: That scope, where nothing in it depends on the call.
        clocked: Whether the beginning of every attempt is looked up on the clock.
        observed: Whether a success has more to tell than the circuit; see ``course``.
        shape: Which parts it has, and which not.
        special: Whether an attempt is more than a call of the function: hedged, or faulty.
    """

    parts: Parts
    name: str
    clock: Clock
    now: Callable[[], float]
    rng: Random
    events: Listeners
    names: tuple[str, ...]
    total_s: float | None
    lane: Lane
    slots: Slots | None
    limiter: Limiter | None
    retry: Retry | None
    budget: Budget | None
    circuit: Circuit | None
    bound: Bound | None
    hedge: Hedge | None
    fallback: Fallback | None
    last_good: LastGood | None
    latency: Latency | None
    retries: Matches
    fails: Matches
    retries_result: Results | None
    fails_result: Results | None
    least_s: float
    scoped: bool
    timed: bool
    idle_scope: Scope
    clocked: bool
    observed: bool
    special: bool
    fault: FaultSource | None
    share: Share | None
    sleep: Callable[[float], None]
    shape: Shape = field(init=False)

    def __post_init__(self) -> None:
        shape = (
            self.slots is not None,
            self.slots is not None and self.slots.keyed,
            self.limiter is not None,
            self.budget is not None,
            self.circuit is not None,
            self.share is not None,
            self.bound is not None,
            self.total_s is not None,
            self.fallback is None,
            self.scoped,
            self.timed,
            self.clocked,
            self.observed,
            self.special,
        )
        assert len(shape) == len(FACTS)
        object.__setattr__(self, "shape", _SHAPES.setdefault(shape, shape))


class Planned(Protocol):
    """Whose plan a shell runs: a policy, of which the shells know nothing else."""

    @property
    def plan(self) -> Plan:
        """The present one."""
        ...


def check_parts(parts: Parts, name: str) -> None:
    """Raise ConfigInvalid where parts are of the wrong kind or contradict each other."""
    options = Options("Policy")
    options.text("name", name, NAME_MAX)
    kinds = {
        "fallback": Fallback,
        "deadline": Deadline,
        "bulkhead": Bulkhead,
        "rate_limit": RateLimit,
        "retry": Retry,
        "breaker": Breaker,
        "attempt_timeout": AttemptTimeout,
        "hedge": Hedge,
    }
    for part, kind in kinds.items():
        value = getattr(parts, part)
        if value is not None and not isinstance(value, kind):
            options.wrong(part, f"{kind.__name__}(...)", value)
    options.done()


def compile_plan(
    parts: Parts,
    *,
    name: str,
    clock: Clock,
    rng: Random,
    events: Listeners,
    share: Share | None = None,
    old: Plan | None = None,
) -> Plan:
    """Return the plan for ``parts``, with the state of ``old`` where its meaning is the same.

    Args:
        parts: Checked to fit together.
        name: The policy's.
        clock: Where time comes from.
        rng: Chance, for jitter.
        events: Who listens.
        share: Where the circuit is told to other processes, or None.
        old: The plan that this one follows, or None.
    """
    retry, breaker = parts.retry, parts.breaker
    if retry is not None and retry.attempts == 1:
        retry = None
    circuit, latency = _circuit(breaker, old), _latency(parts, old)
    bound, last_good = (
        _bound(parts.attempt_timeout, latency, clock, old),
        _last_good(parts.fallback, old),
    )
    total_s, fault = _total_s(parts), old.fault if old else None
    measured = latency is not None or (breaker is not None and breaker.slow is not None)
    return Plan(
        parts=parts,
        name=name,
        clock=clock,
        now=clock.monotonic_s,
        rng=rng,
        events=events,
        names=(name,) if retry else (),
        total_s=total_s,
        lane=Lane(_FAR_S if total_s is None else total_s, clock),
        slots=_slots(parts.bulkhead, old),
        limiter=_limiter(parts.rate_limit, old),
        retry=retry,
        budget=_budget(retry, parts.hedge, clock, old),
        circuit=circuit,
        bound=bound,
        hedge=parts.hedge,
        fallback=parts.fallback,
        last_good=last_good,
        latency=latency,
        retries=matcher(retry.on, retry.ignore) if retry else matcher(None, None),
        fails=matcher(breaker.on, breaker.ignore) if breaker else matcher(None, None),
        retries_result=retry.on_result if retry else None,
        fails_result=breaker.on_result if breaker else None,
        least_s=bound.least_s if bound else 0.0,
        timed=bound is not None or total_s is not None,
        scoped=bound is not None or total_s is not None or retry is not None,
        idle_scope=new_scope(clock, math.inf, (name,) if retry else (), None),
        clocked=bound is not None or total_s is not None or measured,
        observed=any(
            (
                latency is not None,
                last_good is not None,
                retry is not None and retry.on_result is not None,
                breaker is not None and breaker.on_result is not None,
            )
        ),
        special=parts.hedge is not None or fault is not None,
        fault=fault,
        share=share if circuit else None,
        # A clock that brings its own sleep moves itself: virtual time.
        sleep=getattr(clock, "sleep", pause),
    )


def renew_locks(plan: Plan) -> None:
    """Give all state machines new locks, in a child process; see ``forked``."""
    machines = (
        plan.slots, plan.limiter, plan.budget, plan.circuit, plan.last_good, plan.latency,
    )  # fmt: skip
    for machine in machines:
        if machine is not None:
            machine.renew_lock()


def with_free_slots(plan: Plan) -> Plan:
    """Return the plan with all slots free; calls on their way give theirs back to the old ones."""
    return plan if plan.slots is None else replace(plan, slots=Slots(plan.slots.options))


def with_fault(plan: Plan, fault: FaultSource | None) -> Plan:
    """Return the plan whose calls are subject to ``fault``."""
    return replace(plan, fault=fault, special=plan.hedge is not None or fault is not None)


def with_fallback(plan: Plan, fallback: Fallback, last_good: LastGood | None) -> Plan:
    """Return the plan with another fallback, and with the last good answers kept for that."""
    observed = plan.observed or last_good is not None
    return replace(plan, fallback=fallback, last_good=last_good, observed=observed)


def with_share(plan: Plan, share: Share | None) -> Plan:
    """Return the plan whose circuit tells others through ``share``; None: alone."""
    return replace(plan, share=share if plan.circuit else None)


def for_once(plan: Plan) -> Plan:
    """Return the plan for calls that must not be made twice, sharing all state with ``plan``."""
    if plan.retry is None and plan.hedge is None:
        return plan
    retry = None if plan.retry is None else replace(plan.retry, idempotent=False)
    return replace(plan, retry=retry, hedge=None, special=plan.fault is not None)


def _total_s(parts: Parts) -> float | None:
    """Return the lesser of the deadline and the retries' total time, in seconds."""
    bounds = (
        parts.deadline.within if parts.deadline else None,
        parts.retry.total if parts.retry else None,
    )
    return min((float(one) for one in bounds if one is not None), default=None)


def _circuit(options: Breaker | None, old: Plan | None) -> Circuit | None:
    if options is None:
        return None
    if old is None or old.circuit is None:
        return Circuit(options)
    old.circuit.reconfigure(options)
    return old.circuit


def _slots(options: Bulkhead | None, old: Plan | None) -> Slots | None:
    if options is None:
        return None
    if old is not None and old.slots is not None:
        keyed = options.per_key is not None
        if keyed == (old.slots.options.per_key is not None):
            old.slots.reconfigure(options)
            return old.slots
    return Slots(options)


def _limiter(options: RateLimit | None, old: Plan | None) -> Limiter | None:
    if options is None:
        return None
    if old is None or old.limiter is None:
        return Limiter(options)
    old.limiter.reconfigure(options)
    return old.limiter


def _budget(
    retry: Retry | None, hedge: Hedge | None, clock: Clock, old: Plan | None
) -> Budget | None:
    if hedge is not None and retry is None:
        # Hedges are charged to a budget always; this is what one has that nobody declared.
        retry = Retry()
    if retry is None or retry.budget is None:
        return None
    share, floor_per_s = float(retry.budget), float(retry.budget_floor)
    if old is None or old.budget is None:
        return Budget(share, floor_per_s, now_s=clock.monotonic_s())
    old.budget.reconfigure(share, floor_per_s)
    return old.budget


def _latency(parts: Parts, old: Plan | None) -> Latency | None:
    timeout, hedge = parts.attempt_timeout, parts.hedge
    auto = timeout is not None and timeout.auto
    if not auto and (hedge is None or percentile_of(hedge.after) is None):
        return None
    return old.latency if old is not None and old.latency is not None else Latency()


def _bound(
    options: AttemptTimeout | None, latency: Latency | None, clock: Clock, old: Plan | None
) -> Bound | None:
    if options is None:
        return None
    if old is not None and old.bound is not None and old.bound.options == options:
        return old.bound
    bound = Bound(options, clock)
    if bound.auto and latency is not None:
        bound.adapt(latency)
    return bound


def _last_good(options: Fallback | None, old: Plan | None) -> LastGood | None:
    if options is None or not options.last_good:
        return None
    if old is None or old.last_good is None:
        return LastGood(options)
    old.last_good.reconfigure(options)
    return old.last_good
