"""``Reports``: unhandled errors over Sentry's protocol, each once and a few a second."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sentry_sdk.utils import event_from_exception

from mainstay.core.clock import Clock
from mainstay.core.events import Event, Listeners
from mainstay.core.limits import NEVER_S, gcra
from mainstay.core.trace import current_traced
from mainstay.service.inbound.exchange import Exchange
from mainstay.telemetry.failures import exchange_here, is_news
from mainstay.telemetry.forks import begin_in_children
from mainstay.telemetry.masking import Masker
from mainstay.telemetry.reports.breadcrumbs import Breadcrumbs
from mainstay.telemetry.reports.document import masked, request_of, trace_section
from mainstay.telemetry.reports.sending import Sender, client_of

if TYPE_CHECKING:
    from sentry_sdk.client import Client

Route = Callable[[Exchange], str | None]
User = Callable[[Exchange], str | None]
"""Returns who asks, or None where nobody knows."""

EVERY_S = 0.2
BURST = 20
"""So many reports at once, and then five a second: one takes a millisecond, and in an outage all
say the same."""

TELL_EVERY_S = 1.0
_FLUSH_S = 5.0
_SEEN = "mainstay_reported"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportsDropped(Event):
    """Reports of errors were lost.

    Attributes:
        count: How many since this was told last.
        reason: ``rate`` (too many at once), or sentry-sdk's word: ``full_queue``, ``network``,
            ``status_503``, ...
    """

    count: int
    reason: str


class Reports:
    """Sends errors with what is known of their request.

    A process that forks off has a client of its own; what the parent had queued stays the parent's.

    Args:
        sender: Where to, and as whom.
        clock: Bounds the rate.
        events: Heard for breadcrumbs, and told of what is lost.
        masker: Hides secrets.
        route: Returns the template of a request's route.
        user: Who asks, told masked; None: nobody is told.
        instance: Returns the id of this process, asked again after a fork.

    Raises:
        ConfigInvalid: The DSN is none.
    """

    def __init__(
        self,
        *,
        sender: Sender,
        clock: Clock,
        events: Listeners,
        masker: Masker,
        route: Route,
        user: User | None,
        instance: Callable[[], str],
    ) -> None:
        self._sender = sender
        self._clock = clock
        self._events = events
        self._masker = masker
        self._route = route
        self._user = user
        self._instance = instance
        self._crumbs = Breadcrumbs()
        self._begin()
        # At once, so that a DSN that is none stops the start and not the first report.
        self._made()
        events.add(self._crumbs.heard)
        begin_in_children(self._begin)

    def _begin(self) -> None:
        """Begin anew: at first, and in a process that forked off."""
        self._lock = threading.Lock()
        self._client: Client | None = None
        self._due_s = NEVER_S
        self._told_s = NEVER_S
        self._untold: dict[str, int] = {}

    def failed(self, exchange: Exchange | None, error: BaseException, work: str = "") -> None:
        """Report an error that nobody handled: for ``Failures``.

        Args:
            exchange: Of the request, or None outside of one.
            error: What was raised.
            work: Name of the background work that raised it, or empty.
        """
        self._report(error, exchange, handled=False, work=work)

    def capture(self, error: BaseException) -> str | None:
        """Report an error that was handled; return the id of the report, or None: not sent.

        An error is reported once, whoever comes first.
        """
        return self._report(error, exchange_here(), handled=True)

    def close(self, within_s: float = _FLUSH_S) -> None:
        """Send what waits: the last stage of a drain."""
        client = self._client
        if client is not None:
            client.flush(timeout=within_s)
        self._tell()

    def _report(
        self, error: BaseException, exchange: Exchange | None, *, handled: bool, work: str = ""
    ) -> str | None:
        if not is_news(error, _SEEN, exchange):
            return None
        if not self._allowed():
            self._lost("rate")
            return None
        client = self._made()
        event, hint = event_from_exception(
            error,
            client_options=client.options,
            mechanism={"type": "mainstay", "handled": handled},
        )
        event.update(self._told(exchange))  # type: ignore[typeddict-item]  # JSON of ours.
        if work:
            event["transaction"] = work
        return client.capture_event(event, hint)

    def _told(self, exchange: Exchange | None) -> dict[str, Any]:
        """Return what is known of where an error happened. Any: JSON."""
        # The rest of a stream is made when the request's own context has been left.
        traced = current_traced() or exchange
        trace = None if traced is None else traced.trace
        told: dict[str, Any] = {}
        if exchange is not None:
            told |= request_of(exchange, self._route(exchange), self._masker)
            user = None if self._user is None else self._user(exchange)
            if user is not None:
                told["user"] = {"id": user}
        if trace is not None:
            told["contexts"] = {"trace": trace_section(trace)}
        scope = None if exchange is None else exchange.scope
        told["breadcrumbs"] = {"values": self._crumbs.of(scope)}
        return told

    def _made(self) -> "Client":
        """Return the client of this process, made where it is missing."""
        with self._lock:
            if self._client is None:
                self._client = client_of(self._sender, self._instance(), self._hidden, self._lost)
            return self._client

    def _hidden(self, event: Any) -> Any:
        """Return an event without its secrets. Any: JSON."""
        return masked(event, self._masker)

    def _allowed(self) -> bool:
        with self._lock:
            now_s = self._clock.monotonic_s()
            self._due_s, answer = gcra(self._due_s, now_s, EVERY_S, BURST)
            return answer.allowed

    def _lost(self, reason: str) -> None:
        with self._lock:
            self._untold[reason] = self._untold.get(reason, 0) + 1
            now_s = self._clock.monotonic_s()
            if now_s - self._told_s < TELL_EVERY_S:
                return
            self._told_s = now_s
        self._tell()

    def _tell(self) -> None:
        with self._lock:
            untold, self._untold = self._untold, {}
        for reason, count in untold.items():
            self._events.emit(ReportsDropped(at_s=self._clock.wall_s(), count=count, reason=reason))
