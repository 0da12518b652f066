"""The asynchronous shell: runs a plan around a coroutine function, in the caller's task.

``sync_shell`` is its twin. It is one frame for the whole call, and so longer than functions are
here: a coroutine for each part would cost more than the part does. The call is never moved to a
task of its own: context variables that it sets would be lost, and cancelling it would take a round
more.
"""

from asyncio import sleep
from collections.abc import Awaitable, Callable, Coroutine
from inspect import isawaitable
from typing import Any, ParamSpec, TypeVar

from mainstay.core.errors import PolicyMisused
from mainstay.core.scope import Scope, back, current, enter, new_scope, restore
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
from mainstay.service.outbound.instead import instead
from mainstay.service.outbound.plan import Plan, Planned, Shape
from mainstay.service.outbound.shells import hedging
from mainstay.service.outbound.shells.async_waits import wait_for_slot, wait_for_turn
from mainstay.service.outbound.shells.hedging import run_special
from mainstay.service.outbound.shells.misuse import GENERATOR, is_generator_function

P = ParamSpec("P")
R = TypeVar("R")


def aguard(  # noqa: C901, PLR0915  One frame.
    policy: Planned, fn: Callable[P, Awaitable[R]], shape: Shape | None = None
) -> Callable[P, Coroutine[Any, Any, R]]:
    """Return ``fn`` with the policy around it; the policy's plan is read at each call.

    Any: what a coroutine yields is its loop's business.

    Args:
        policy: Whose plan.
        fn: What is awaited.
        shape: That of the plans that this shell was specialised for; None: it takes any.
    """

    async def call(*args: P.args, **kwargs: P.kwargs) -> R:  # noqa: C901, PLR0912, PLR0915  One frame.
        plan = policy.plan
        if shape is not None and plan.shape is not shape:
            # The policy has other parts now than those that this shell was made for.
            return await aguard(policy, fn)(*args, **kwargs)
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
                    key = await wait_for_slot(plan, until_s)
                    began_s = plan.now()
            try:
                if plan.limiter is not None:
                    took_s = plan.now()
                    wait_s = plan.limiter.take(took_s, until_s - plan.least_s)
                    if wait_s:
                        await wait_for_turn(plan, took_s, wait_s, until_s)
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
                    expires_s, alarm = until_s, None
                    if plan.scoped:
                        scope: Scope = plan.idle_scope
                        if plan.timed or outer is not None:
                            names = plan.names
                            if outer is not None:
                                names = names_within(plan, outer)
                            own_s = INFINITE
                            if plan.bound is not None:
                                own_s = began_s + plan.bound.timeout_s
                            if plan.bound is not None and own_s < until_s:
                                expires_s = own_s
                                scope = alarm = plan.bound.lane.set(began_s, own_s, names, outer)
                            elif until_s != INFINITE:
                                scope = alarm = plan.lane.set(began_s, until_s, names, outer)
                            else:
                                scope = new_scope(plan.clock, INFINITE, names, outer)
                        token = enter(scope)
                    result: R
                    try:
                        if plan.special:
                            result = await run_special(plan, fn, args, kwargs)
                        else:
                            result = await fn(*args, **kwargs)
                    except BaseException as error:
                        rang = alarm is not None and alarm.silence(error)
                        if plan.scoped:
                            restore(token)
                        course = course or course_of(plan, outer, until_s)
                        pause_s = course.failed(error, permit, began_s, expires_s, rang=rang)
                        if pause_s is None:
                            if course.cut is not None:
                                raise course.cut from error
                            if type(error) is TypeError:
                                refuse_unawaitable(plan, fn, error)
                            raise
                    else:
                        if plan.scoped:
                            back(token)
                            if alarm is not None:
                                alarm.parked.pop(alarm, None)
                        if not watched:
                            if plan.circuit is not None and plan.circuit.heeds_success:
                                tell_success(plan, permit, began_s)
                            return result
                        course = course or course_of(plan, outer, until_s)
                        pause_s = course.answered(result, permit, began_s, (fn, args, kwargs))
                        if pause_s is None:
                            return result
                    await sleep(pause_s)
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
            answer = instead(plan, error, (fn, args, kwargs))
            stand_in: R = await answer if isawaitable(answer) else answer
            return stand_in

    return call


def refuse_unawaitable(plan: Plan, fn: Callable[..., Any], error: TypeError) -> None:
    """Say what is wrong where ``error`` is about awaiting what ``fn`` returned. Any: the user's.

    Raises:
        PolicyMisused: It is that: a function, which did run, or a generator.
    """
    if is_generator_function(fn):
        raise PolicyMisused(f"{fn!r} is {GENERATOR}") from error
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    ours = trace is not None and trace.tb_frame.f_code.co_filename in (__file__, hedging.__file__)
    # The interpreter raises it where the result is awaited; each version in words of its own.
    if ours and "await" in str(error):
        raise PolicyMisused(
            f"{plan.name}: {fn!r} ran, and returned nothing to await: use `policy.call(...)`"
        ) from error
