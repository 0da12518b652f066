"""Retry: options, and the decision whether and when to try again. No clock, no sleep."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from mainstay.service.outbound.failure import Errors, Results, is_errors
from mainstay.service.outbound.quantity import Duration, Options
from mainstay.service.outbound.retry.backoff import JITTERS, backoff_s
from mainstay.spec.kinds.units import Between

DelayFrom = Callable[[Any], float | None]
"""From an error or a result to the seconds that the server asks to wait, or None.

Any: what came back is the user's.
"""


def asked_delay_s(outcome: object) -> float | None:
    """Return the ``retry_after_s`` of an error or a result, if it has one."""
    found = getattr(outcome, "retry_after_s", None)
    return float(found) if isinstance(found, int | float) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Try again what failed.

    Attributes:
        attempts: Tries in all, the first included. Starter pack: 3.
        backoff: Pause before the second attempt, doubled up to the longest: ``50ms..1s``.
        jitter: full, equal, decorrelated or none; see ``backoff``.
        total: No attempt goes on beyond this time after the first began; None: only the deadline.
        budget: Retries are at most this share of the calls; None: no bound, which in an outage
            makes a storm of retries.
        budget_floor: So many retries a second are allowed where the share would be fewer. The
            number is that of Finagle's retry budget, which adds it; here it is the least, so that
            from 50 calls a second on there are never more than 20 % more.
        on: Errors that are worth it: types or a predicate; None: see ``failure.is_failure``.
        ignore: Errors that are not, nevertheless.
        on_result: Tells whether a result is worth it. The last one is returned.
        delay_from: Finds the delay that a server asked for; by default ``retry_after_s`` of the
            error or the result.
        delay_max: A server that asks for more is not asked again.
        idempotent: Whether the call may be made twice. Where not, only what certainly never left
            this process is tried again; see ``never_sent``.
        within: Names of policies around this one under which it retries too. Without that, only
            the outermost of nested layers does: three layers of three would make 27 calls.
    """

    attempts: int = 3
    backoff: str | tuple[Duration, Duration] | Between = field(
        default=Between(low_s=0.05, high_s=1.0)
    )
    jitter: str = "full"
    total: Duration | None = None
    budget: float | str | None = 0.2
    budget_floor: float | str = 10.0
    on: Errors | None = None
    ignore: Errors | None = None
    on_result: Results | None = None
    delay_from: DelayFrom = asked_delay_s
    delay_max: Duration = 60.0
    idempotent: bool = True
    within: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        options = Options("Retry")
        take = object.__setattr__
        options.whole("attempts", self.attempts, 1, 20)
        take(self, "backoff", options.between("backoff", self.backoff))
        options.choice("jitter", self.jitter, JITTERS)
        if self.total is not None:
            take(self, "total", options.seconds("total", self.total))
        if self.budget is not None:
            take(self, "budget", options.share("budget", self.budget))
        take(self, "budget_floor", options.rate("budget_floor", self.budget_floor))
        take(self, "delay_max", options.seconds("delay_max", self.delay_max, minimum=0.0))
        for name in ("on", "ignore"):
            if not is_errors(getattr(self, name)):
                options.wrong(name, "error types or a predicate", getattr(self, name))
        options.names("within", self.within)
        options.done()


def never_sent(error: BaseException) -> bool:
    """Return whether an error says that the call never left this process.

    An error whose ``never_sent`` is true does: so an adapter, which makes the one call that an
    attempt is, tells what its client knows. What a function raises by itself does not: a refused
    connection, or a rejection, may be of the second thing that it does.
    """
    return getattr(error, "never_sent", False) is True


def pause_before_next_s(
    retry: Retry,
    failures: int,
    *,
    asked_s: float | None,
    last_s: float,
    left_s: float,
    rng: Random,
) -> float | str:
    """Return the seconds to wait before the next attempt, or why there is none.

    Args:
        retry: The options.
        failures: Attempts that failed so far, at least 1.
        asked_s: What the server asked to wait, or None.
        last_s: The pause before; 0 where there was none.
        left_s: Seconds until the deadline; infinite without one.
        rng: Where chance comes from.

    Returns:
        Seconds, or one word: ``attempts`` (all are made), ``server`` (it asks for too long a
        pause), or ``deadline`` (none could begin before it).
    """
    if failures >= retry.attempts:
        return "attempts"
    assert isinstance(retry.backoff, Between), "options are read when they are made"
    base_s, max_s = retry.backoff.low_s, retry.backoff.high_s
    pause_s = backoff_s(retry.jitter, failures, base_s=base_s, max_s=max_s, last_s=last_s, rng=rng)
    if asked_s is not None:
        if not 0.0 <= asked_s <= float(retry.delay_max):
            return "server"
        # The jitter goes on top, or all that were refused would come back together.
        pause_s += asked_s
    return pause_s if pause_s < left_s else "deadline"
