"""The synchronous shell: runs a plan around a function, in the caller's thread.

``async_shell`` is its twin. It is one frame for the whole call, and so longer than functions are
here, because a layer of its own for each part would cost more than the part does. It only acts;
what is decided is decided in ``course``. What is asked of the plan here is worked out beforehand;
see ``specialised``.
"""

from collections.abc import Callable
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any, ParamSpec, TypeVar

from mainstay.core.errors import PolicyMisused
from mainstay.core.scope import Scope, back, current, enter, restore
from mainstay.service.outbound.course import (
    INFINITE,
    admit,
    course_of,
    look_around,
    names_within,
    no_time,
    sooner_s,
    tell_success,
)
from mainstay.service.outbound.instead import instead_now
from mainstay.service.outbound.plan import Plan, Planned, Shape
from mainstay.service.outbound.shells.misuse import GENERATOR, is_generator_function
from mainstay.service.outbound.shells.sync_waits import wait_for_slot, wait_for_turn

P = ParamSpec("P")
R = TypeVar("R")


UNFINISHED = frozenset((CoroutineType, GeneratorType, AsyncGeneratorType))
"""What a call may return whose work has not begun."""


def guard(  # noqa: C901, PLR0915  One frame.
    policy: Planned, fn: Callable[P, R], shape: Shape | None = None
) -> Callable[P, R]:
    """Return ``fn`` with the policy around it; the policy's plan is read at each call.

    Args:
        policy: Whose plan.
        fn: What is called.
        shape: That of the plans that this shell was specialised for; None: it takes any.
    """
    fresh = True

    def call(*args: P.args, **kwargs: P.kwargs) -> R:  # noqa: C901, PLR0912, PLR0915  One frame.
        nonlocal fresh
        plan = policy.plan
        if shape is not None and plan.shape is not shape:
            # The policy has other parts now than those that this shell was made for.
            return guard(policy, fn)(*args, **kwargs)
        outer = current()
        watched = plan.observed or plan.events.listening
        clocked = plan.clocked or watched or outer is not None
        try:
            began_s, until_s = INFINITE, INFINITE
            if clocked:
                began_s = plan.now()
                if plan.total_s is not None:
                    until_s = began_s + plan.total_s
                if outer is not None:
                    until_s = sooner_s(plan, outer, until_s)
            if plan.slots is not None:
                key = None
                try:
                    plan.slots.free.pop()
                except IndexError:
                    key = wait_for_slot(plan, until_s)
                    began_s = plan.now()
            try:
                if plan.limiter is not None:
                    took_s = plan.now()
                    wait_s = plan.limiter.take(took_s, until_s - plan.least_s)
                    if wait_s:
                        wait_for_turn(plan, took_s, wait_s, until_s)
                        began_s = plan.now()
                if plan.budget is not None:
                    plan.budget.calls += 1
                if clocked and until_s - began_s <= plan.least_s:
                    raise no_time(plan, until_s - began_s)
                if plan.share is not None:
                    look_around(plan)
                permit = (plan.circuit.closed or admit(plan)) if plan.circuit is not None else 0
                course = None
                while True:
                    expires_s = until_s
                    if plan.scoped:
                        scope = plan.idle_scope
                        if plan.timed or outer is not None:
                            if plan.bound is not None:
                                own_s = began_s + plan.bound.timeout_s
                                expires_s = own_s if own_s < until_s else until_s  # noqa: FURB136  min() is slow.
                            # Set one by one: a constructor would take twice as long.
                            scope = Scope()
                            scope.clock = plan.clock
                            scope.expires_s = expires_s
                            scope.outer = outer
                            scope.retrying = plan.names
                            if outer is not None:
                                scope.retrying = names_within(plan, outer)
                        token = enter(scope)
                    try:
                        if plan.special:
                            befall(plan)
                        result = fn(*args, **kwargs)
                        if fresh:
                            # Once: what returns a coroutine does so from the beginning.
                            fresh = False
                            if type(result) in UNFINISHED:
                                refuse_unfinished(plan, fn, result)
                    except BaseException as error:
                        if plan.scoped:
                            restore(token)
                        course = course or course_of(plan, outer, until_s)
                        pause_s = course.failed(error, permit, began_s, expires_s, rang=False)
                        if pause_s is None:
                            raise
                    else:
                        if plan.scoped:
                            back(token)
                        if not watched:
                            if plan.circuit is not None and plan.circuit.heeds_success:
                                tell_success(plan, permit, began_s)
                            return result
                        course = course or course_of(plan, outer, until_s)
                        pause_s = course.answered(result, permit, began_s, (fn, args, kwargs))
                        if pause_s is None:
                            return result
                    plan.sleep(pause_s)
                    began_s = plan.now()
                    if not course.goes_on(began_s):
                        return result
                    permit = course.permit
            finally:
                if plan.slots is not None:
                    if plan.slots.keyed:
                        plan.slots.give(key)
                    else:
                        plan.slots.free.append(None)
                        if plan.slots.attention:
                            plan.slots.settle()
        except BaseException as error:
            if plan.fallback is None or not plan.fallback.covers(error):
                raise
            answer: R = instead_now(plan, error, (fn, args, kwargs))
            return answer

    return call


def refuse_unfinished(plan: Plan, fn: Callable[..., Any], result: Any) -> None:
    """Refuse what a coroutine or generator function returned: its work has not begun.

    A function that does its work and returns a generator of somebody else's is as any other.
    Any: what a type test left to be known is lost on a type variable.

    Raises:
        PolicyMisused: It is refused.
    """
    if type(result) is CoroutineType:
        result.close()
        raise PolicyMisused(f"{plan.name}: a coroutine function needs `await policy.acall(...)`")
    if is_generator_function(fn):
        raise PolicyMisused(f"{fn!r} is {GENERATOR}")


def befall(plan: Plan) -> None:
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
