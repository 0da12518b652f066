"""From what is declared about a dependency to the parts of its policy. Pure."""

from mainstay.service.outbound.attempt_timeout import AttemptTimeout
from mainstay.service.outbound.breaker.breaker import Breaker
from mainstay.service.outbound.bulkhead import Bulkhead
from mainstay.service.outbound.fallback import Fallback
from mainstay.service.outbound.hedge import Hedge
from mainstay.service.outbound.plan import Parts
from mainstay.service.outbound.ratelimit import RateLimit
from mainstay.service.outbound.retry.retry import Retry
from mainstay.service.outbound.total import Deadline
from mainstay.spec import dependency as spec
from mainstay.spec.timeouts import ResolvedTimeouts, resolve_timeouts


def declared_parts(
    dependency: spec.Dependency,
    *,
    deadline_s: float | None = None,
    fallback: Fallback | None = None,
) -> Parts:
    """Return the parts of a dependency's policy.

    Args:
        dependency: As declared.
        deadline_s: ``inbound.deadline`` of the service that calls; None for one without.
        fallback: What stands in, where code said so; None: what is declared.
    """
    timeouts = resolve_timeouts(dependency, deadline_s=deadline_s)
    return Parts(
        fallback=fallback or _fallback(dependency.fallback),
        deadline=Deadline(timeouts.total_s),
        bulkhead=_bulkhead(dependency.bulkhead),
        rate_limit=_rate_limit(dependency.rate_limit),
        retry=_retry(dependency.retry),
        breaker=_breaker(dependency.breaker, timeouts),
        attempt_timeout=_attempt_timeout(dependency.timeout, timeouts),
        hedge=None if dependency.hedge is None else Hedge(after=dependency.hedge.after_s),
    )


def _attempt_timeout(declared: spec.Timeouts, timeouts: ResolvedTimeouts) -> AttemptTimeout | None:
    if timeouts.attempt_s is None and declared.least_s is None:
        return None
    return AttemptTimeout(
        # The total bounds an attempt for which nothing is declared.
        within=timeouts.attempt_s or timeouts.total_s,
        floor=declared.auto.low_s,
        ceiling=declared.auto.high_s,
        least=declared.least_s or 0.0,
    )


def _retry(declared: spec.Retry | None) -> Retry | None:
    if declared is None or declared.attempts == 1:
        return None
    return Retry(
        attempts=declared.attempts,
        backoff=declared.backoff,
        jitter=declared.jitter,
        budget=declared.budget,
        budget_floor=declared.floor_per_s,
    )


def _breaker(declared: spec.Breaker | None, timeouts: ResolvedTimeouts) -> Breaker | None:
    if declared is None:
        return None
    slow = declared.slow
    return Breaker(
        failures=declared.failures,
        rate=declared.rate,
        slow=None if slow is None else slow.after_s,
        slow_rate=None if slow is None else slow.rate,
        open=declared.open_s,
        open_max=declared.open_max_s,
        successes=declared.successes,
        probes=declared.probes,
        # No call takes longer, so a probe that is not heard of by then is lost.
        lease=timeouts.total_s,
        shadow=declared.shadow,
    )


def _bulkhead(declared: spec.Bulkhead | None) -> Bulkhead | None:
    if declared is None:
        return None
    return Bulkhead(
        limit=declared.limit,
        queue=declared.queue,
        wait=declared.wait_s,
        per_key=declared.per_key,
    )


def _rate_limit(declared: spec.CallRate | None) -> RateLimit | None:
    if declared is None:
        return None
    return RateLimit(rate=declared.rate_per_s, burst=declared.burst, wait=declared.wait_s or 0.0)


def _fallback(declared: spec.Fallback | None) -> Fallback | None:
    if declared is None:
        return None
    return Fallback(last_good=declared.last_good, age_max=declared.age_max_s)
