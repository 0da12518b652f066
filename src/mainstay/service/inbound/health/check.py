"""One health check: what it asks, how often, how long it may take, how much it matters."""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from mainstay.service.inbound.health.document import Finding, Status
from mainstay.spec.health import ServiceChecks

Answer = Finding | bool | None
"""What the function of a check may return: False fails, None and True pass."""

CheckFunction = Callable[[], Answer] | Callable[[], Awaitable[Answer]]

_USUAL = ServiceChecks()


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A check of a service.

    Attributes:
        name: Its key in the answer; unique within the service.
        run: The function. A coroutine function runs on the event loop under ASGI; any other runs
            in a thread of its own, so that one which hangs holds up nothing but itself.
        critical: Whether the service can't be ready when it fails.
        timeout_s: How long an answer is waited for.
        interval_s: From one answer to the next question.
        failures: Failures in a row until it counts as failed.
        successes: Good answers in a row until it counts as passed again.
        groups: Names of the groups it belongs to, besides those that name it.
        component_type: ``component``, ``datastore`` or ``system``.
        component_id: Which of several it is; None where there is one.
        affects: Paths of the service that suffer while it fails.
    """

    name: str
    run: CheckFunction
    critical: bool
    timeout_s: float
    interval_s: float = _USUAL.interval_s
    failures: int = _USUAL.failures
    successes: int = _USUAL.successes
    groups: tuple[str, ...] = ()
    component_type: str = "component"
    component_id: str | None = None
    affects: tuple[str, ...] = ()

    @property
    def is_async(self) -> bool:
        """Whether ``run`` is a coroutine function."""
        return inspect.iscoroutinefunction(self.run)


def finding_of(answer: Answer) -> Finding:
    """Return what a check's answer says."""
    if isinstance(answer, Finding):
        return answer
    if answer is False:
        return Finding(status=Status.FAIL, output="the check answered no")
    return Finding(status=Status.PASS)


def failure_of(error: BaseException) -> Finding:
    """Return the finding of a check that raised: the class of the error and nothing of its text."""
    return Finding(status=Status.FAIL, output=type(error).__name__)
