"""The queue of spans and the thread that sends them: bounded, and never waited for by a request.

A span is written out where it ends, in 5 µs, and not in the thread: each time that another thread
works in Python, it and the one that answers requests take turns, which costs both several times as
much. Only what may take longer is left to the thread.
"""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from mainstay.core.clock import Clock, pause
from mainstay.core.complaint import complain
from mainstay.core.events import Event, Listeners
from mainstay.telemetry.forks import begin_in_children
from mainstay.telemetry.traces.collector import Answer, Collector, CollectorAway, pause_s
from mainstay.telemetry.traces.otlp import Masks, encoded, request_of
from mainstay.telemetry.traces.span import Attributes, Span
from mainstay.telemetry.trail import class_of

QUEUE_MAX = 4096
"""Spans that wait, in about 2 MiB for those of requests; twice OpenTelemetry's own default."""

BATCH_MAX = 512
"""Spans of one request."""

INTERVAL_S = 1.0
"""How long a span waits at most before it is sent, where the collector is there."""

ATTEMPTS_MAX = 4
"""Of one batch; then it is dropped, and the next one is tried."""

_FEW_ATTRIBUTES = 24
_SHORT_CHARS = 2048
_PLAIN = frozenset((int, float, bool))
"""A span with more attributes, with more text or with lists among them, is written out in the
thread: it takes up to some milliseconds. So is one with a message, with moments or links."""

FLUSH_S = 5.0
"""At the end of the process; within what the drain's last stage has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpansDropped(Event):
    """Spans were lost.

    Attributes:
        count: How many since this was told last.
        reason: ``queue`` (more came than the collector took), ``away`` (it did not answer, or
            asked for another time too often), ``refused`` (it does not want them), ``broken``
            (they could not be written: a fault of ours, or of a value's own class).
    """

    count: int
    reason: str


class Exporter:
    """Takes spans and sends them from a thread of its own, which begins with the first span.

    A process that forks off has a queue, a thread and a connection of its own; what the parent
    had queued stays the parent's.

    Args:
        connect: Makes the connection.
        resource: Returns the attributes of this process, asked again after a fork.
        masks: What hides secrets.
        clock: Stamps events.
        rng: Jitter.
        events: Told of what is dropped.
        interval_s: See INTERVAL_S.
        pauses: Returns how long to wait after a failure; see ``pause_s``.
        complain: Writes a text to stderr; must not raise.

    Attributes:
        dropped: How many spans were lost in all, by reason.
        sent: How many the collector took.
    """

    def __init__(
        self,
        *,
        connect: Callable[[], Collector],
        resource: Callable[[], Attributes],
        masks: Masks,
        clock: Clock,
        rng: Random,
        events: Listeners,
        interval_s: float = INTERVAL_S,
        pauses: Callable[[int, float | None, Random], float] = pause_s,
        complain: Callable[[str], object] = complain,
    ) -> None:
        self._connect = connect
        self._resource = resource
        self._masks = masks
        self._clock = clock
        self._rng = rng
        self._events = events
        self._interval_s = interval_s
        self._pauses = pauses
        self._complain = complain
        self._begin()
        begin_in_children(self._begin)

    def _begin(self) -> None:
        """Begin anew: at first, and in a process that forked off."""
        self._waiting: deque[bytes | Span] = deque()
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._idle = threading.Condition(self._lock)
        self._thread: threading.Thread | None = None
        self._sending = False
        self._failures = 0
        # Monotonic; set when the process ends: by then everything is sent or lost.
        self._last_s: float | None = None
        self._complained = False
        self._untold: dict[str, int] = {}
        self.dropped: dict[str, int] = {}
        self.sent = 0

    def put(self, span: Span | bytes) -> None:
        """Queue a span; never waits. One too many is dropped and counted.

        Args:
            span: As bytes, what ``encoded`` returns for one.
        """
        waiting = self._waiting
        count = len(waiting)
        if count >= QUEUE_MAX:
            self._drop(1, "queue")
            return
        if isinstance(span, bytes) or _is_long(span):
            waiting.append(span)
        elif written := self._written(span):
            waiting.append(written)
        if self._thread is None:
            self._start()
        elif count == BATCH_MAX:
            self._wake.set()

    def flush(self, within_s: float = FLUSH_S) -> bool:
        """Send what waits; return whether all of it was sent or given up by then.

        Meanwhile a batch that fails is not tried again.
        """
        thread = self._thread
        if thread is None:
            return True
        self._last_s = self._clock.monotonic_s() + within_s
        self._wake.set()
        with self._idle:
            done = self._idle.wait_for(
                lambda: not self._waiting and not self._sending, timeout=within_s
            )
        self._last_s = None
        return done

    def _start(self) -> None:
        with self._lock:
            if self._thread is not None:
                return
            # A daemon: a collector that hangs must not keep the process from ending.
            thread = threading.Thread(target=self._run, name="spans", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                # The interpreter ends, or the system has no threads left: the request matters
                # more, and the next span tries again.
                return
            self._thread = thread

    def _run(self) -> None:
        # Made here, since only this thread uses it; it connects when it has something to send.
        collector = self._connect()
        while True:
            self._wake.wait(self._interval_s)
            self._wake.clear()
            while self._waiting:
                self._send_some(collector)
            try:
                self._tell()
            except BaseException as error:  # noqa: BLE001  A listener must not end the thread either.
                self._broke(error, 0)

    def _send_some(self, collector: Collector) -> None:
        with self._lock:
            self._sending = True
        count = 0
        try:
            spans = self._taken()
            count = len(spans)
            if count:
                body = request_of(self._resource(), spans, self._masks)
                self._deliver(collector, body, count)
        except BaseException as error:  # noqa: BLE001  Whatever it is, the next spans are not its.
            self._broke(error, count)
        finally:
            with self._idle:
                self._sending = False
                self._idle.notify_all()

    def _taken(self) -> list[bytes]:
        """Take a batch out of the queue."""
        spans: list[bytes] = []
        for _ in range(min(BATCH_MAX, len(self._waiting))):
            span = self._waiting.popleft()
            if isinstance(span, bytes):
                spans.append(span)
            elif written := self._written(span):
                spans.append(written)
                # Before the next one, which may be as long, others get a turn.
                pause(0)
        return spans

    def _written(self, span: Span) -> bytes:
        """Return a span as it is sent; nothing for one that can't be read: it loses no others."""
        try:
            return encoded(span, self._masks)
        except (Exception, SystemExit) as error:  # noqa: BLE001  Whatever a value's class raises.
            self._broke(error, 1)
            return b""

    def _broke(self, error: BaseException, count: int) -> None:
        """Note a fault that none is meant to be, which must not end the thread."""
        self._drop(count, "broken")
        if not self._complained:
            self._complained = True
            # By its kind alone: its text may hold what a span must not show either.
            self._complain(f"mainstay: {count} spans are lost by a {class_of(error)}\n")

    def _deliver(self, collector: Collector, body: bytes, count: int) -> None:
        for attempt in range(1, ATTEMPTS_MAX + 1):
            try:
                answer = collector.send(body)
            except CollectorAway:
                answer = Answer(503, None, 0)
            if answer.taken:
                self._failures = 0
                # A collector may say what it likes; it can't refuse more than it got.
                rejected = min(answer.rejected, count)
                self.sent += count - rejected
                self._drop(rejected, "refused")
                return
            if not answer.again:
                self._failures = 0
                self._drop(count, "refused")
                return
            self._failures += 1
            if attempt == ATTEMPTS_MAX or not self._paused(answer.asked_s):
                break
        self._drop(count, "away")

    def _paused(self, asked_s: float | None) -> bool:
        """Wait before another attempt; return False where the end of the process came near."""
        end_s = self._clock.monotonic_s() + self._pauses(self._failures, asked_s, self._rng)
        self._tell()
        while self._last_s is None and (left_s := end_s - self._clock.monotonic_s()) > 0:
            self._wake.wait(left_s)
            self._wake.clear()
        return self._last_s is None

    def _drop(self, count: int, reason: str) -> None:
        if not count:
            return
        with self._lock:
            self.dropped[reason] = self.dropped.get(reason, 0) + count
            self._untold[reason] = self._untold.get(reason, 0) + count

    def _tell(self) -> None:
        with self._lock:
            untold, self._untold = self._untold, {}
        for reason, count in untold.items():
            self._events.emit(SpansDropped(at_s=self._clock.wall_s(), count=count, reason=reason))


def _is_long(span: Span) -> bool:
    attributes = span.attributes
    if span.moments or span.links or span.message or len(attributes) > _FEW_ATTRIBUTES:
        return True
    chars = len(span.name)
    # A copy, made in one step: user code may set an attribute of a span that ends elsewhere.
    for value in list(attributes.values()):
        if type(value) is str:
            chars += len(value)
        elif type(value) not in _PLAIN:
            return True
    return chars > _SHORT_CHARS
