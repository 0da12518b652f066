"""The asynchronous shell: runs a plan around a coroutine function, in the caller's task.

``sync_shell`` is its twin, and says why it is one frame. The call is never moved to a task of its
own: context variables that it sets would be lost, and cancelling it would take a round more.
"""

from asyncio import sleep as pause
from collections.abc import Awaitable, Callable, Coroutine
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from mainstay.core.alarm import set_alarm
from mainstay.core.deadline import CURRENT
from mainstay.service.outbound.async_waits import wait_for_slot, wait_for_turn
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
from mainstay.service.outbound.hedging import run_special
from mainstay.service.outbound.instead import instead

if TYPE_CHECKING:
    from mainstay.service.outbound.policy import Policy

P = ParamSpec("P")
R = TypeVar("R")


def aguard(  # noqa: C901, PLR0915  One frame.
    policy: "Policy", fn: Callable[P, Awaitable[R]]
) -> Callable[P, Coroutine[Any, Any, R]]:
    """Return ``fn`` with the policy around it; the policy's plan is read at each call.

    Any: what a coroutine yields is its loop's business.
    """

    async def call(*args: P.args, **kwargs: P.kwargs) -> R:  # noqa: C901, PLR0912, PLR0915  One frame.
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
                    key = await wait_for_slot(plan, until_s)
            try:
                if plan.limiter is not None:
                    await wait_for_turn(plan, until_s)
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
                    expires_s, scope, alarm = until_s, outer, None
                    if plan.scoped:
                        width_s = plan.total_width_s
                        if plan.bound is not None and began_s + plan.bound.timeout_s < until_s:
                            expires_s = began_s + plan.bound.timeout_s
                            width_s = plan.bound.width_s
                        if outer is None and expires_s == INFINITE:
                            scope = plan.idle_scope
                        else:
                            names = scope_names(plan, retry, outer)
                            scope = alarm = set_alarm(plan.clock, expires_s, names, outer, width_s)
                        CURRENT.set(scope)
                    result: R
                    try:
                        if plan.special:
                            result = await run_special(plan, fn, args, kwargs)
                        else:
                            result = await fn(*args, **kwargs)
                    except BaseException as error:
                        CURRENT.set(outer)
                        rang = alarm is not None and alarm.silence(error)
                        course = course or Course(plan, retry, outer, until_s)
                        pause_s = course.failed(
                            error, permit=permit, began_s=began_s, expires_s=expires_s, rang=rang
                        )
                        if pause_s is None:
                            if course.cut is not None:
                                raise course.cut from error
                            raise
                    else:
                        if scope is not outer:
                            CURRENT.set(outer)
                            if alarm is not None:
                                alarm.silence(None)
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
                    await pause(pause_s)
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
            answer = instead(plan, error, args, kwargs)
            stand_in: R = await answer if isawaitable(answer) else answer
            return stand_in

    return call
