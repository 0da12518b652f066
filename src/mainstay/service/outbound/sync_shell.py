"""The synchronous shell: runs a plan around a function, in the caller's thread.

``async_shell`` is its twin. One frame for the whole call, because a layer of its own for each part
would cost more than the part does. It only acts; what is decided is decided in ``course``.
"""

from collections.abc import Callable
from types import CoroutineType
from typing import TYPE_CHECKING, Any, NoReturn, ParamSpec, TypeVar

from mainstay.core.deadline import CURRENT, Scope
from mainstay.core.errors import PolicyMisused
from mainstay.service.outbound.course import (
    INFINITE,
    Course,
    admit,
    done_by_s,
    no_time,
    retry_within,
    scope_names,
    tell_success,
)
from mainstay.service.outbound.instead import instead_now
from mainstay.service.outbound.plan import Plan
from mainstay.service.outbound.sync_waits import wait_for_slot, wait_for_turn

if TYPE_CHECKING:
    from mainstay.service.outbound.policy import Policy

P = ParamSpec("P")
R = TypeVar("R")


def guard(policy: "Policy", fn: Callable[P, R]) -> Callable[P, R]:  # noqa: C901, PLR0915  One frame.
    """Return ``fn`` with the policy around it; the policy's plan is read at each call."""

    def call(*args: P.args, **kwargs: P.kwargs) -> R:  # noqa: C901, PLR0912, PLR0915  One frame.
        plan = policy.plan
        outer = CURRENT.get()
        try:
            until_s = INFINITE
            if outer is not None or plan.total_s is not None:
                until_s = done_by_s(plan, outer)
            slots, key = plan.slots, None
            if slots is not None:
                try:
                    slots.free.pop()
                except IndexError:
                    key = wait_for_slot(plan, until_s)
            try:
                if plan.limiter is not None:
                    wait_for_turn(plan, until_s)
                if plan.budget is not None:
                    plan.budget.calls += 1
                retry = plan.retry if outer is None else retry_within(plan, outer)
                clocked = plan.clocked or until_s != INFINITE or plan.events.listening
                course: Course | None = None
                while True:
                    began_s = plan.now() if clocked else 0.0
                    if until_s - began_s <= plan.least_s:
                        raise no_time(plan, until_s - began_s)
                    circuit, permit = plan.circuit, 0
                    if circuit is not None:
                        permit = circuit.closed or admit(plan)
                    expires_s, scope = until_s, outer
                    if plan.scoped:
                        if plan.bound is not None and began_s + plan.bound.timeout_s < until_s:
                            expires_s = began_s + plan.bound.timeout_s
                        if outer is None and expires_s == INFINITE:
                            scope = plan.idle_scope
                        else:
                            names = scope_names(plan, retry, outer)
                            scope = Scope(plan.clock, expires_s, names, outer)
                        CURRENT.set(scope)
                    try:
                        if plan.special:
                            _befall(plan)
                        result = fn(*args, **kwargs)
                        if type(result) is CoroutineType:
                            _refuse_coroutine(plan, result)
                    except BaseException as error:
                        CURRENT.set(outer)
                        course = course or Course(plan, retry, outer, until_s)
                        pause_s = course.failed(
                            error, permit=permit, began_s=began_s, expires_s=expires_s, rang=False
                        )
                        if pause_s is None:
                            raise
                    else:
                        if scope is not outer:
                            CURRENT.set(outer)
                        if not plan.observed and not plan.events.listening:
                            if circuit is not None and circuit.heeds_success:
                                tell_success(plan, permit, began_s)
                            return result
                        course = course or Course(plan, retry, outer, until_s)
                        pause_s = course.answered(
                            result, permit=permit, began_s=began_s, args=args, kwargs=kwargs
                        )
                        if pause_s is None:
                            return result
                    plan.sleep(pause_s)
            finally:
                if slots is not None:
                    if slots.keyed:
                        slots.give(key)
                    else:
                        slots.free.append(None)
                        if slots.attention:
                            slots.settle()
        except BaseException as error:
            if plan.fallback is None or not plan.fallback.covers(error):
                raise
            answer: R = instead_now(plan, error, args, kwargs)
            return answer

    return call


def _refuse_coroutine(plan: Plan, result: Any) -> NoReturn:
    """Refuse what a coroutine function returned: its work has not begun, so nothing is known.

    Any: what its type test left to be known is lost on a type variable.

    Raises:
        PolicyMisused: Always.
    """
    result.close()
    raise PolicyMisused(f"{plan.name}: a coroutine function needs `await policy.acall(...)`")


def _befall(plan: Plan) -> None:
    """Do what the fault source says about one attempt.

    Raises:
        PolicyMisused: The plan hedges, which a thread can't: nobody could cancel the loser.
    """
    if plan.hedge is not None:
        raise PolicyMisused(
            f"{plan.name}: hedging works in asynchronous code only: use `await policy.acall(...)`"
        )
    assert plan.fault is not None, "only asked with a hedge or a fault source"
    delay_s, error = plan.fault.befall()
    if delay_s > 0:
        plan.sleep(delay_s)
    if error is not None:
        raise error
