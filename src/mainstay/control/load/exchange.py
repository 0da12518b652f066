"""One request on its way, and what became of it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from mainstay.control.load.arrivals import Arrival


class Failure(StrEnum):
    """Why a request failed. The names are those of reports."""

    CONNECT_REFUSED = "connect_refused"
    CONNECT_TIMEOUT = "connect_timeout"
    CONNECT_FAILED = "connect_failed"
    TIMEOUT = "timeout"
    RESET = "reset"
    PROTOCOL = "protocol"
    NOT_SENT = "not_sent"
    STATUS = "status"


@dataclass(slots=True, kw_only=True, eq=False)
class Exchange:
    """A request from the moment it is sent; the one mutable value of the hot path.

    Attributes:
        arrival: What was due.
        due_s: When it was due.
        sent_s: When it was taken up: after ``due_s`` by the generator's own lag.
        written_s: When its first byte was written, which an open connection has to precede.
        wire: The bytes.
        bodiless: Whether the answer has no body whatever its headers say (HEAD).
        give_up: The timer of its timeout.
    """

    arrival: Arrival
    due_s: float
    sent_s: float
    wire: bytes
    bodiless: bool
    written_s: float | None = None
    give_up: asyncio.TimerHandle | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an exchange ended.

    Attributes:
        status: Of the complete response, or None without one.
        failure: None where a complete response came, whatever its status.
        detail: One sentence about a failure, for people; never any content.
    """

    status: int | None = None
    failure: Failure | None = None
    detail: str = ""


Finished = Callable[[Exchange, Outcome], None]
"""Told once about every exchange, in the event loop; must not raise."""
