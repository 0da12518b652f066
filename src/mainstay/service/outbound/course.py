"""The course of one call after something happened: what is counted, told, and done next.

Both shells come here when an attempt failed, or succeeded with more to tell than "all is well";
nothing here waits. The shells wait as long as they are told.
"""

import math
from typing import Any

from mainstay.core.errors import AttemptTimedOut, CircuitOpen, DeadlineExceeded
from mainstay.core.scope import Scope, expiry_s
from mainstay.service.outbound.breaker.circuit import REFUSED, Change, Circuit, Mode
from mainstay.service.outbound.events import (
    Attempted,
    BudgetSpent,
    CircuitChanged,
    GaveUp,
    Probed,
    Rejected,
    Retried,
    TimedOut,
)
from mainstay.service.outbound.fallback import Question
from mainstay.service.outbound.plan import Plan
from mainstay.service.outbound.retry.retry import Retry, never_sent, pause_before_next_s

INFINITE = math.inf

_ROUNDING_S = 1e-6


class Course:
    """What is remembered between the attempts of one call.

    Args:
        plan: The call's.
        retry: Its retries, or None where it has none, or a layer around it retries.
        outer: The caller's scope, or None.
        until_s: When the call must be done, by the plan's clock; infinite where nothing says so.
        single: Whether nothing can be tried again: the body of a ``with``.

    Attributes:
        attempts: How many there were.
        permit: That of the circuit for the next attempt, after ``goes_on``.
        cut: What an attempt that was cut off raises, or None.
    """

    __slots__ = (
        "_last_error", "_last_s", "_outer", "_plan", "_retry", "_single", "_until_s", "attempts",
        "cut", "permit",
    )  # fmt: skip

    def __init__(
        self,
        plan: Plan,
        retry: Retry | None,
        outer: Scope | None,
        until_s: float,
        *,
        single: bool = False,
    ) -> None:
        self._plan = plan
        self._single = single
        self._retry = retry
        self._outer = outer
        self._until_s = until_s
        self._last_s = 0.0
        self._last_error: BaseException | None = None
        self.attempts = 0
        self.permit = 0
        self.cut: AttemptTimedOut | DeadlineExceeded | None = None

    def failed(
        self, error: BaseException, permit: int, began_s: float, expires_s: float, *, rang: bool
    ) -> float | None:
        """Count an attempt that ended with ``error``.

        Args:
            error: What it raised.
            permit: That of the circuit.
            began_s: When it began; infinite where nobody looked.
            expires_s: When it had to be done.
            rang: Whether ``error`` is the cancellation by the alarm of this attempt.

        Returns:
            The pause until the next attempt, in seconds, or None: raise ``cut``, or what it raised.
        """
        plan = self._plan
        now_s = plan.now()
        self.attempts += 1
        by = self._whose_time(expires_s) if rang else ""
        self.cut = self._cut_error(by, now_s - began_s) if rang else None
        raised = error if self.cut is None else self.cut
        try:
            fails = self._is_failure(raised, by, now_s, expires_s)
        except BaseException:
            self._release(permit)
            raise
        if plan.latency is not None and by == "attempt":
            # So long it took at least: without it, the bound would learn from the quick ones only.
            self._learn(now_s - began_s)
        took_s = took(began_s, now_s)
        if plan.circuit is not None:
            if fails:
                tell_change(plan, plan.circuit.failed(permit, now_s=now_s, took_s=took_s))
            else:
                # No failure is no answer either: nothing is known about the dependency.
                self._release(permit)
        if plan.events.listening:
            self._tell_attempt(raised, by, fails=fails, took_s=took_s)
        if not plan.retries(raised) or by in {"deadline", "caller"}:
            return None
        pause_s = self._next_s(raised, now_s)
        if pause_s is not None:
            self._last_error = raised
        return pause_s

    def answered(
        self, result: Any, permit: int, began_s: float, question: Question
    ) -> float | None:
        """Count an attempt that returned ``result``. Any: it is the user's.

        Returns:
            The pause until the next attempt, in seconds, or None: return the result.
        """
        plan = self._plan
        now_s = plan.now()
        try:
            fails = plan.fails_result is not None and plan.fails_result(result)
            again = plan.retries_result is not None and plan.retries_result(result)
        except BaseException:
            # A user's predicate: nobody knows what it would have said.
            self._release(permit)
            raise
        self.done(now_s, permit=permit, began_s=began_s, fails=fails)
        if again:
            return self._next_s(result, now_s)
        if plan.last_good is not None and not fails:
            plan.last_good.keep(question, result, now_s)
        return None

    def goes_on(self, began_s: float) -> bool:
        """Take the permit for a further attempt; False: there is none, return the last result.

        Earlier attempts did leave. So this is no rejection, which would say that nothing was sent:
        what the last one raised says more.

        Args:
            began_s: The present time, at which it would begin.

        Raises:
            BaseException: What the last attempt raised, where there is no further one.
        """
        plan = self._plan
        # Not kept: what it was raised through holds this object, too.
        error, self._last_error = self._last_error, None
        reason = ""
        if self._until_s - began_s <= plan.least_s:
            reason = "deadline"
        else:
            if plan.share is not None:
                look_around(plan)
            if plan.circuit is not None:
                self.permit = plan.circuit.closed or knock(plan, plan.circuit, began_s)
                reason = "" if self.permit else "breaker"
        if not reason:
            return True
        self._emit(GaveUp, attempts=self.attempts, reason=reason)
        if error is not None:
            raise error
        return False

    def done(self, now_s: float, *, permit: int, began_s: float, fails: bool = False) -> None:
        """Count an attempt that ended at ``now_s`` without an error."""
        plan = self._plan
        took_s = took(began_s, now_s)
        self.attempts += 1
        if plan.latency is not None and not fails:
            self._learn(took_s)
        if plan.circuit is not None:
            count = plan.circuit.failed if fails else plan.circuit.succeeded
            tell_change(plan, count(permit, now_s=now_s, took_s=took_s))
        outcome = "failure" if fails else "success"
        self._emit(Attempted, attempt=self.attempts, outcome=outcome, took_s=took_s)

    def _release(self, permit: int) -> None:
        """Give back the permit of an attempt that says nothing."""
        if self._plan.circuit is not None:
            self._plan.circuit.released(permit)

    def _whose_time(self, expires_s: float) -> str:
        if expires_s < self._until_s:
            return "attempt"
        callers_s = expiry_s(self._outer, self._plan.clock)
        return "deadline" if self._until_s < callers_s - _ROUNDING_S else "caller"

    def _cut_error(self, by: str, had_s: float) -> AttemptTimedOut | DeadlineExceeded:
        plan = self._plan
        if by == "attempt":
            assert plan.bound is not None, "only a bound ends an attempt before its call"
            return AttemptTimedOut(plan.name, plan.bound.timeout_s)
        whose = "its deadline" if by == "deadline" else "the deadline of its caller"
        return DeadlineExceeded(
            f"{plan.name}: not done by {whose}; the last attempt had {had_s:.3g} s", begun=True
        )

    def _is_failure(self, raised: BaseException, by: str, now_s: float, expires_s: float) -> bool:
        """Return whether the dependency failed, and not the caller's patience."""
        if by == "caller":
            return False
        if isinstance(raised, TimeoutError) and now_s >= expires_s - _ROUNDING_S:
            # Synchronous clients end by themselves, with errors of their own.
            if not by and self._whose_time(expires_s) == "caller":
                return False
            timed_out = AttemptTimedOut(self._plan.name, 0.0)
            return self._plan.fails(raised) or self._plan.fails(timed_out)
        return self._plan.fails(raised)

    def _learn(self, took_s: float) -> None:
        plan = self._plan
        assert plan.latency is not None, "only asked with a sketch"
        if plan.latency.record(took_s) and plan.bound is not None:
            plan.bound.adapt(plan.latency)

    def _next_s(self, outcome: Any, now_s: float) -> float | None:
        """Return the pause before another attempt after ``outcome``, an error or a result."""
        plan, retry = self._plan, self._retry
        if plan.retry is None or self._single:
            return None
        found: float | str
        if retry is None:
            found = "nested"
        elif not retry.idempotent and not (
            isinstance(outcome, BaseException) and never_sent(outcome)
        ):
            found = "unsafe"
        else:
            found = pause_before_next_s(
                retry,
                self.attempts,
                asked_s=retry.delay_from(outcome),
                last_s=self._last_s,
                left_s=self._until_s - now_s - plan.least_s,
                rng=plan.rng,
            )
        if isinstance(found, float):
            found = self._allowed_s(found, now_s)
        if isinstance(found, str):
            self._emit(GaveUp, attempts=self.attempts, reason=found)
            return None
        reason = type(outcome).__name__ if isinstance(outcome, BaseException) else "result"
        self._emit(Retried, attempt=self.attempts, pause_s=found, reason=reason)
        self._last_s = found
        return found

    def _allowed_s(self, pause_s: float, now_s: float) -> float | str:
        """Return the pause, or why there is no next attempt: ``breaker`` or ``budget``."""
        plan = self._plan
        circuit = plan.circuit
        if circuit is not None and circuit.closed == REFUSED and circuit.mode is not Mode.SHADOW:
            opens_s = circuit.retry_after_s(now_s)
            # The next attempt would be rejected: what failed says more than that rejection.
            if opens_s is None or opens_s > pause_s:
                return "breaker"
        if plan.budget is not None and not plan.budget.spend(now_s):
            self._emit(BudgetSpent, by="retry")
            return "budget"
        return pause_s

    def _tell_attempt(self, raised: BaseException, by: str, *, fails: bool, took_s: float) -> None:
        if by:
            self._emit(TimedOut, after_s=took_s, by=by)
        if not isinstance(raised, Exception):
            outcome = "cancelled"
        elif by:
            outcome = "timeout"
        else:
            outcome = "failure" if fails else "ignored"
        self._emit(Attempted, attempt=self.attempts, outcome=outcome, took_s=took_s)

    def _emit(self, kind: type[Any], **fields: Any) -> None:
        """Tell the listeners, if there are any. Any: each kind of event has its own fields."""
        emit(self._plan, kind, **fields)


def emit(plan: Plan, kind: type[Any], **fields: Any) -> None:
    """Make an event and tell the listeners, if there are any.

    Any: each kind of event has its own fields.
    """
    if plan.events.listening:
        plan.events.emit(kind(at_s=plan.clock.wall_s(), dependency=plan.name, **fields))


def tell_change(plan: Plan, change: Change | None) -> None:
    """Tell that the circuit changed its state, if it did."""
    if change is not None:
        emit(plan, CircuitChanged, was=change.was, state=change.state)
        if plan.share is not None and plan.circuit is not None:
            plan.share.tell(plan.circuit)


def look_around(plan: Plan) -> None:
    """Take over what circuits of the same dependency found out elsewhere."""
    assert plan.share is not None, "only asked where circuits share"
    assert plan.circuit is not None, "only circuits share"
    change = plan.share.look(plan.circuit, plan.now())
    if change is not None:
        emit(plan, CircuitChanged, was=change.was, state=change.state)


def tell_success(plan: Plan, permit: int, began_s: float) -> None:
    """Tell the circuit of a success that it heeds; ``began_s`` is infinite where nobody looked."""
    circuit = plan.circuit
    assert circuit is not None, "only asked with a circuit"
    now_s = plan.now()
    quiet = circuit.quiet
    if quiet is not None and now_s < quiet.ends_s and permit == circuit.closed > REFUSED:
        quiet.misses += 1
        return
    change = circuit.succeeded(permit, now_s=now_s, took_s=took(began_s, now_s))
    if change is not None:
        tell_change(plan, change)


def admit(plan: Plan) -> int:
    """Return the permit for an attempt while the circuit is not closed.

    Raises:
        CircuitOpen: It is open, or its probes are on their way.
    """
    circuit = plan.circuit
    assert circuit is not None, "only asked with a circuit"
    now_s = plan.now()
    wait_s = circuit.rejects_until_s - now_s
    permit = REFUSED
    if wait_s <= 0.0:
        permit, wait_s = knock(plan, circuit, now_s), INFINITE
    if permit == REFUSED:
        retry_after_s = wait_s if wait_s != INFINITE else circuit.retry_after_s(now_s)
        if plan.events.listening:
            emit(plan, Rejected, by="breaker", retry_after_s=retry_after_s)
        raise CircuitOpen(plan.name, retry_after_s)
    return permit


def knock(plan: Plan, circuit: Circuit, now_s: float) -> int:
    """Return the permit for an attempt while the circuit is not closed, or REFUSED; tell of it."""
    permit = circuit.admit(now_s)
    if circuit.refuses(permit):
        retry_after_s = circuit.retry_after_s(now_s)
        emit(plan, Rejected, by="breaker", retry_after_s=retry_after_s, shadow=True)
    elif permit > 0:
        change = circuit.half_opened(permit)
        if change is not None:
            emit(plan, CircuitChanged, was=change.was, state=change.state)
        emit(plan, Probed)
    return permit


def took(began_s: float, now_s: float) -> float:
    """Return how long an attempt took, in seconds; 0 where nobody looked when it began."""
    return now_s - began_s if began_s != INFINITE else 0.0


def done_by_s(plan: Plan, outer: Scope | None) -> float:
    """Return when a call that begins now must be done; infinite where nothing says so."""
    callers_s = expiry_s(outer, plan.clock)
    return callers_s if plan.total_s is None else min(callers_s, plan.now() + plan.total_s)


def sooner_s(plan: Plan, outer: Scope, until_s: float) -> float:
    """Return ``until_s``, or when ``outer`` expires if that is sooner."""
    callers_s = outer.expires_s if outer.clock is plan.clock else expiry_s(outer, plan.clock)
    return min(until_s, callers_s)


def course_of(plan: Plan, outer: Scope | None, until_s: float) -> Course:
    """Return the course of a call within ``outer``, made when there is something to remember."""
    return Course(plan, retry_within(plan, outer), outer, until_s)


def retry_within(plan: Plan, outer: Scope | None) -> Retry | None:
    """Return the retries of a call within ``outer``: None where a layer around it retries."""
    retry = plan.retry
    if retry is None or outer is None or not outer.retrying:
        return retry
    return retry if all(name in retry.within for name in outer.retrying) else None


def no_time(plan: Plan, left_s: float) -> DeadlineExceeded:
    """Return the error of a call that can't begin, after telling of it."""
    emit(plan, Rejected, by="deadline", retry_after_s=None)
    left = f"{max(0.0, left_s):.3g} s are left" if left_s > 0 else "no time is left"
    return DeadlineExceeded(f"{plan.name}: {left}; nothing was sent", begun=False)


def names_within(plan: Plan, outer: Scope) -> tuple[str, ...]:
    """Return the names of all layers that retry what an attempt within ``outer`` does."""
    return outer.retrying if retry_within(plan, outer) is None else outer.retrying + plan.names
