"""What a client is told when the app raised, or was too late. Pure."""

import math

from mainstay.core.errors import AttemptTimedOut, CallRejected, DeadlineExceeded
from mainstay.service.inbound.problems.refusal import Refusal

NO_TIME = Refusal.of("deadline-exceeded", "No time was left when the request arrived.")
OVERRAN = Refusal.of("deadline-exceeded", "The service did not answer in time.")
DEPENDENCY_LATE = Refusal.of(
    "deadline-exceeded", "Something that the service depends on did not answer in time."
)
BODY_LATE = Refusal.of(
    "body-late",
    "The body of the request did not arrive in time.",
    ((b"connection", b"close"),),
)
BODY_CUT = Refusal.of(
    "body-incomplete",
    "The body of the request is shorter than its Content-Length.",
    ((b"connection", b"close"),),
)
FAILED = Refusal.of(
    "internal-error", "The service failed to answer. The trace id finds the cause in its log."
)


def refusal_of(error: BaseException) -> Refusal:
    """Return what the client is told about an error that the app let through.

    A call that its policy rejected, or that took too long, is no fault of the app: the client may
    come back later. Everything else is.
    """
    match error:
        case CallRejected():
            after_s = error.retry_after_s
            headers = () if after_s is None else ((b"retry-after", b"%d" % _whole(after_s)),)
            return Refusal.of(
                "dependency-unavailable",
                "Something that the service depends on takes no calls at the moment.",
                headers,
            )
        case DeadlineExceeded():
            return OVERRAN
        case AttemptTimedOut():
            return DEPENDENCY_LATE
        case _:
            return FAILED


def _whole(seconds: float) -> int:
    return min(max(1, math.ceil(seconds)), 86_400)
