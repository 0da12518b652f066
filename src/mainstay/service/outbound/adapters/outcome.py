"""How an attempt through a client of a store ended, beyond what ``errors`` says.

MainstayError
├── NotServed       the server is there, and refused to do it now: nothing was done
└── ServerFailed    the server says that it failed; whether it was done is unknown

What the server answered is no failure, even where its client raises the answer as an error.
"""

from dataclasses import replace
from typing import Any

from mainstay.core.deadline import remaining_s
from mainstay.core.errors import AttemptTimedOut, DeadlineExceeded, MainstayError
from mainstay.service.outbound.failure import Results
from mainstay.service.outbound.plan import Plan

_ROUNDING_S = 0.002


class NotServed(MainstayError):
    """The server refused to do it now, so nothing was done: later may work.

    Args:
        policy: Name of the policy whose call it was.
        retry_after_s: The pause that the server asks for, or None. Negative: not again.
    """

    never_sent = True

    def __init__(self, policy: str, retry_after_s: float | None = None) -> None:
        self.policy = policy
        self.retry_after_s = retry_after_s
        super().__init__(policy, retry_after_s)

    def __str__(self) -> str:
        return f"{self.policy}: the server refused to do this now; nothing was done"


class ServerFailed(MainstayError):
    """The server says that it failed, so the call's effect is unknown.

    Args:
        policy: Name of the policy whose call it was.
        status: What it says, such as ``INTERNAL``.
    """

    def __init__(self, policy: str, status: str) -> None:
        self.policy = policy
        self.status = status
        super().__init__(policy, status)

    def __str__(self) -> str:
        return f"{self.policy}: the server failed: {self.status}"


class Answered:
    """An answer that the client raises: the attempt returns it, so that it counts as one.

    Args:
        error: What the client raised.
    """

    __slots__ = ("error",)

    def __init__(self, error: Exception) -> None:
        self.error = error


def opened(result: Any) -> Any:
    """Return the result of a call, or raise what was answered. Any: results are the client's."""
    if type(result) is Answered:
        # Without the traceback of the last time: a last good answer may be raised again.
        raise result.error.with_traceback(None)
    return result


def judging_results(plan: Plan) -> Plan:
    """Return the plan whose ``on_result`` are not asked about errors that the server answered.

    Those are no results to who calls, and as before they are no failures: the call went well.
    """
    if plan.retries_result is None and plan.fails_result is None:
        return plan
    return replace(
        plan,
        retries_result=_of_results(plan.retries_result),
        fails_result=_of_results(plan.fails_result),
    )


def _of_results(judge: Results | None) -> Results | None:
    if judge is None:
        return None
    return lambda result: type(result) is not Answered and judge(result)


def allowed_s(declared_s: float) -> float:
    """Return how long a client may wait: what is declared, or what is left if that is less."""
    left_s = remaining_s()
    return declared_s if left_s is None or declared_s < left_s else left_s


def timed_out(plan: Plan, *, began_s: float, after_s: float, begun: bool = True) -> MainstayError:
    """Return the error of an attempt whose client waited in vain.

    Args:
        plan: The call's.
        began_s: When the attempt began, by the plan's clock.
        after_s: The client's own bound.
        begun: Whether anything may have been sent.
    """
    left_s, took_s = remaining_s(), plan.now() - began_s
    if left_s is None or left_s > _ROUNDING_S:
        error: MainstayError = AttemptTimedOut(plan.name, after_s)
    elif plan.bound is not None and took_s >= plan.bound.timeout_s - _ROUNDING_S:
        error = AttemptTimedOut(plan.name, plan.bound.timeout_s)
    else:
        return DeadlineExceeded(
            f"{plan.name}: not done by its deadline; the last attempt had {took_s:.3g} s",
            begun=begun,
        )
    if not begun:
        vars(error)["never_sent"] = True
    return error
