"""Answering something else: picks the stand-in of a fallback, marks it and tells of it."""

import inspect
from typing import Any

from mainstay.core.errors import PolicyMisused
from mainstay.service.outbound.context import Degraded, mark
from mainstay.service.outbound.course import emit
from mainstay.service.outbound.events import AnswerDegraded
from mainstay.service.outbound.fallback import NOTHING, Question
from mainstay.service.outbound.own_copy import own_copy
from mainstay.service.outbound.plan import Plan


def instead(plan: Plan, error: BaseException, question: Question) -> Any:
    """Return the stand-in for the answer of a call that ended with ``error``.

    Any: answers are the user's. A coroutine function as fallback makes the answer
    an awaitable, which the asynchronous shell awaits.

    Raises:
        BaseException: ``error`` itself, where no good answer is known and nothing else is said.
    """
    fallback = plan.fallback
    assert fallback is not None, "only asked with a fallback"
    kept = None if plan.last_good is None else plan.last_good.find(question, plan.now())
    if kept is not None:
        _tell(plan, error, "last_good", kept[0])
        return kept[1]
    if fallback.function is not None:
        _, args, kwargs = question
        answer = fallback.function(*args, **kwargs)
        _tell(plan, error, "function", None)
        return answer
    if fallback.value is NOTHING:
        raise error
    _tell(plan, error, "value", None)
    return own_copy(fallback.value)


def instead_now(plan: Plan, error: BaseException, question: Question) -> Any:
    """Return as ``instead``, for synchronous code. Any: as there.

    Raises:
        PolicyMisused: The fallback is a coroutine function, and nobody here can await it.
    """
    answer = instead(plan, error, question)
    if inspect.iscoroutine(answer):
        answer.close()
        raise PolicyMisused(
            f"{plan.name}: the fallback of a synchronous call can't be a coroutine function"
        ) from error
    return answer


def _tell(plan: Plan, error: BaseException, source: str, age_s: float | None) -> None:
    reason = type(error).__name__
    mark(Degraded(policy=plan.name, source=source, reason=reason, age_s=age_s))
    emit(plan, AnswerDegraded, source=source, reason=reason, age_s=age_s)
