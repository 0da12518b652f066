"""What is decided about keys, as events. That a request was refused the shell says itself."""

from dataclasses import dataclass

from mainstay.core.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyEvent(Event):
    """Something about one record.

    Attributes:
        record: Its name in the store: a hash, from which neither key nor caller can be read.
    """

    record: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerReplayed(IdempotencyEvent):
    """A repetition got the first answer; the app did not see it.

    Attributes:
        status: Of the answer.
    """

    status: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerNotKept(IdempotencyEvent):
    """A request was answered, and a repetition will not get that answer.

    Attributes:
        reason: size, unfinished, store (it did not answer; it is told later, a few times), or
            superseded (the lease had ended, and another attempt has the record).
    """

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptAbandoned(IdempotencyEvent):
    """Work on a request was cut off: a repetition gets what ``after_crash`` says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseLost(IdempotencyEvent):
    """A request is still worked on, but its record is held by another attempt, or is gone."""
