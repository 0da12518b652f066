"""What policies decide, as events. Logs, metrics and spans are made of them elsewhere."""

from dataclasses import dataclass

from mainstay.core.events import Event
from mainstay.service.outbound.breaker.circuit import Mode, State


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyEvent(Event):
    """Something that a policy decided.

    Attributes:
        dependency: The name of the policy, which is that of the dependency, where there is one.
    """

    dependency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempted(PolicyEvent):
    """One attempt ended.

    Attributes:
        attempt: 1 for the first.
        outcome: success, failure, timeout, cancelled, or ignored: an error that says nothing
            about the dependency.
        took_s: How long it took.
    """

    attempt: int
    outcome: str
    took_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEnded(PolicyEvent):
    """One attempt of a client ended, as its adapter saw it. Told before ``Attempted``.

    Only where ``Listeners.calls`` is set.

    Attributes:
        system: ``http``, ``grpc``, ``redis``, or the database: ``postgresql``, ``sqlite``, ...
        operation: The method, the command, the first word of the statement.
        target: The path without its query, the full name of gRPC's method; else empty.
        server: Name or address of who was asked, where known.
        port: Of it.
        status: Of the answer, by the system's own words; None: there was none, or it has none.
        error: Type of the error that ended it, or None.
        span_id: What was sent as the parent of what the callee does, 16 hex digits; None outside
            of a trace.
        took_s: How long it took.
    """

    system: str
    operation: str
    target: str
    server: str | None
    port: int | None
    status: str | int | None
    error: str | None
    span_id: str | None
    took_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Retried(PolicyEvent):
    """There will be another attempt.

    Attributes:
        attempt: The number of the one that failed.
        pause_s: How long it waits.
        reason: What failed: the error's type, or ``result``.
    """

    attempt: int
    pause_s: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GaveUp(PolicyEvent):
    """A failure that is worth another attempt gets none.

    Attributes:
        attempts: How many there were.
        reason: attempts, deadline, budget, breaker (the next one would be rejected), server (it
            asks for too long a pause), nested (a layer around this one retries), or unsafe (it may
            have been sent, and must not be twice).
    """

    attempts: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetSpent(PolicyEvent):
    """A further attempt was not made because the budget is spent.

    Attributes:
        by: retry or hedge.
    """

    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected(PolicyEvent):
    """A call did not leave.

    Attributes:
        by: breaker, bulkhead, rate_limit or deadline.
        retry_after_s: When to try again, or None where unknown.
        shadow: It left nevertheless: the breaker only watches.
    """

    by: str
    retry_after_s: float | None
    shadow: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitChanged(PolicyEvent):
    """The circuit changed its state: to open, to half-open with its first probe, or to closed."""

    was: State
    state: State


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerModeChanged(PolicyEvent):
    """The breaker does something else about its state: by hand, or by a new declaration.

    Attributes:
        was: What it did.
        mode: What it does now.
    """

    was: Mode
    mode: Mode


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed(PolicyEvent):
    """A probe was let through a circuit that is not closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedOut(PolicyEvent):
    """An attempt was cut off.

    Attributes:
        after_s: How long it had.
        by: attempt, deadline, or caller: the deadline of who called was nearer than our own.
    """

    after_s: float
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HedgeStarted(PolicyEvent):
    """A second attempt began beside a slow first one, ``after_s`` after it."""

    after_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HedgeWon(PolicyEvent):
    """The second attempt answered first; the first was cancelled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerDegraded(PolicyEvent):
    """The caller got a stand-in for the answer.

    Attributes:
        source: value, function, or last_good.
        reason: The type of the error that it stands in for.
        age_s: How old a last good answer is, else None.
    """

    source: str
    reason: str
    age_s: float | None
