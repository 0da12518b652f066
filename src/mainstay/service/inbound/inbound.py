"""What both shells share: one object, made once for a service, read on the way of each request."""

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from mainstay.core.clock import Clock
from mainstay.core.events import Event, Listeners
from mainstay.core.trace import SAMPLE_ALL
from mainstay.service.inbound.admission.admission import Admission
from mainstay.service.inbound.asgi.overrun import RequestLane
from mainstay.service.inbound.client import Trust
from mainstay.service.inbound.exchange import Exchange
from mainstay.service.inbound.health.probes import Probes
from mainstay.service.inbound.idempotency.idempotency import Idempotency
from mainstay.service.inbound.perimeter.perimeter import Perimeter
from mainstay.service.inbound.problems.conversion import is_unhandled
from mainstay.service.inbound.problems.failure import FAILED
from mainstay.service.inbound.problems.problem import PROBLEM_TYPE, Problems
from mainstay.service.inbound.problems.refusal import Refusal
from mainstay.service.inbound.ratelimit.limits import Limits
from mainstay.service.inbound.sessions.sessions import Sessions
from mainstay.service.inbound.stopping.drain import Drain
from mainstay.service.inbound.telling import NOBODY, Telling

CUT_OFF = "CutOffByDrain"
"""Stands in place of an exception's class where the drain's bound ended a request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRefused(Event):
    """A request was turned away, or its answer was replaced, for the reason that ``kind`` names.

    Attributes:
        kind: Of the problem, as the page of problems has it.
        status: Of the answer.
        method: Of the request.
        path: Of the request, without its query.
        trace_id: 32 hex digits.
    """

    kind: str
    status: int
    method: str
    path: str
    trace_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """The parts of a service that its shells act with. What is None is off.

    Attributes:
        clock: Times the requests.
        rng: Makes span and trace ids.
        events: Told about refusals.
        probes: Answers health.
        drain: Counts what is in flight.
        trust: Whose word is taken.
        deadline_s: ``inbound.deadline``.
        lane: Where the alarms of deadlines are set.
        perimeter: Hosts, body bound, CORS and security headers.
        limits: The rate limits.
        admission: The adaptive limit.
        idempotency: Wraps the app for requests that carry keys.
        sessions: Wraps the app.
        problems: Writes problem documents.
        problem_errors: Whether the app's own errors become problem documents.
        telling: Who is told what.
        below: Which traces that begin here are sampled; see ``core.trace.sample_below``.
        reload: Takes what the declaration says by now about what can change while it runs, and
            returns the keys that differ and can't.
        now_s: The clock's monotonic time.
    """

    clock: Clock
    rng: Random
    events: Listeners
    probes: Probes
    drain: Drain
    trust: Trust
    deadline_s: float
    lane: RequestLane
    perimeter: Perimeter
    limits: Limits | None
    admission: Admission | None
    idempotency: Idempotency | None
    sessions: Sessions | None
    problems: Problems
    problem_errors: bool
    telling: Telling = NOBODY
    below: int = SAMPLE_ALL
    reload: Callable[[], Sequence[str]] | None = None
    now_s: Callable[[], float] = field(init=False)

    def __post_init__(self) -> None:
        # Bound once: to look it up for each of a request's moments takes longer than it does.
        object.__setattr__(self, "now_s", self.clock.monotonic_s)
        self.drain.on_cut = self.cut_off

    def cut_off(self, flight: object) -> None:
        """Write down a request that the end of the process cuts off: nobody else will.

        Args:
            flight: As the drain counts it; a websocket, which has no answer, is left out.
        """
        observer = self.telling.observer
        if observer is not None and isinstance(flight, Exchange):
            # Its client did not leave: it is torn off.
            flight.status = flight.status or FAILED.status
            flight.error = CUT_OFF
            observer.ended(flight, self.now_s())

    def failed(self, exchange: Exchange, error: BaseException) -> None:
        """Tell of an error that nobody handled. Cancellation is none."""
        if isinstance(error, Exception):
            self.report(exchange, error)

    def report(self, exchange: Exchange, error: BaseException) -> None:
        """Tell of what ended a handler, whatever it is."""
        if self.telling.failed is not None:
            self.telling.failed(exchange, error)
        else:
            self.complain_of(exchange, error)

    def complain_of(self, exchange: Exchange, error: BaseException) -> None:
        """Tell whoever reads that a request failed."""
        self.telling.complain(
            f"mainstay: {exchange.method} {exchange.path!r} failed, "
            f"trace_id {exchange.trace.trace_id}\n{''.join(traceback.format_exception(error))}"
        )

    def refused(self, exchange: Exchange, refusal: Refusal) -> None:
        """Note that an exchange ends with a refusal, and tell who listens."""
        exchange.refusal = refusal
        if self.events.listening:
            self.events.emit(
                RequestRefused(
                    at_s=self.clock.wall_s(),
                    kind=refusal.kind,
                    status=refusal.status,
                    method=exchange.method,
                    path=exchange.path,
                    trace_id=exchange.trace.trace_id,
                )
            )

    def told(self, exchange: Exchange, refusal: Refusal) -> tuple[str, bytes]:
        """Return content type and body of the answer to a request that is refused."""
        return self.problems.answer(
            refusal, exchange.trace.trace_id, exchange.request_id, exchange.get(b"accept")
        )

    def document_of(
        self, exchange: Exchange, content_type: str | None, body: bytes
    ) -> tuple[str, bytes] | None:
        """Return what is answered in place of an error that the app answered by itself.

        Args:
            exchange: Its answer has begun, with a status of 400 and above.
            content_type: As the app sent it; None where it sent none.
            body: The whole of it, not encoded.

        Returns:
            Content type and body; None where the answer should stay as it is.
        """
        if exchange.status == FAILED.status and is_unhandled(body):
            self.refused(exchange, FAILED)
            return self.told(exchange, FAILED)
        if not self.problem_errors:
            return None
        document = self.problems.convert(
            exchange.status,
            content_type,
            body,
            exchange.trace.trace_id,
            exchange.request_id,
            accept=exchange.get(b"accept"),
        )
        return None if document is None else (PROBLEM_TYPE, document)
