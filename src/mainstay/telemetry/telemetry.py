"""``Telemetry``: all signals of one service in one process, from its declaration.

For services, ``mainstay.Service`` has one. Scripts and workers make one by themselves::

    with Telemetry(declaration) as telemetry:
        telemetry.join()
        jobs = telemetry.registry.counter("jobs", "What was worked on.")
"""

import os
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

from mainstay.core.clock import SYSTEM_CLOCK, Clock
from mainstay.core.events import Listeners
from mainstay.service.inbound.exchange import Exchange
from mainstay.service.inbound.observer import Observer
from mainstay.service.inbound.telling import NOBODY, Telling
from mainstay.spec.declaration import Declaration
from mainstay.telemetry.ending import Ending
from mainstay.telemetry.failures import Complaint, Failures, Told
from mainstay.telemetry.logs.access import AccessLine
from mainstay.telemetry.logs.failed import FailureLine
from mainstay.telemetry.logs.joining import Joined, join, logs_of
from mainstay.telemetry.logs.levels import CRITICAL
from mainstay.telemetry.logs.logger import Door, Logger
from mainstay.telemetry.logs.logs import Logs
from mainstay.telemetry.logs.writer import Writer
from mainstay.telemetry.masking import Masker
from mainstay.telemetry.metrics.registry import Registry
from mainstay.telemetry.metrics.service_metrics import ServiceMetrics
from mainstay.telemetry.metrics.table import FAMILIES
from mainstay.telemetry.reports import reports_of, watch_errors
from mainstay.telemetry.route import route_of, watch_routes
from mainstay.telemetry.traces.frameworks import spare_spans
from mainstay.telemetry.traces.joining import tracing_of

_REPLICA_VARIABLE = "MAINSTAY_REPLICA"


class Telemetry:
    """Logs, metrics, traces and error reports of one service; each is None where it is off.

    Args:
        declaration: Of the service.
        clock: Where time comes from.
        environ: Where the engine's words are found; None takes this process's environment.
        events: What the service does, as ``Service.events``; None: there are none to hear.
        writer: Where lines go; None: the process's stdout.
        user: Returns who asks, for error reports, told masked; None: nobody is told.

    Attributes:
        logs: Writes lines.
        log: A logger of the service's name, whose lines go to ``logs``; silent where they are off.
        metrics: What the service counts of itself.
        registry: What programs count; nobody can ask for it where metrics are off.
        tracing: Makes and sends spans. Off too where nobody says where they go.
        reports: Sends errors.
        failures: Takes errors that nobody handled.

    Raises:
        ConfigInvalid: An endpoint or a DSN is none.
        PartMissing: Error reports are declared, and sentry-sdk is not installed.
    """

    def __init__(
        self,
        declaration: Declaration,
        *,
        clock: Clock = SYSTEM_CLOCK,
        environ: Mapping[str, str] | None = None,
        events: Listeners | None = None,
        writer: Writer | None = None,
        user: Callable[[Exchange], str | None] | None = None,
    ) -> None:
        environ = os.environ if environ is None else environ
        events = Listeners() if events is None else events
        self._joined: Joined | None = None
        declared = declaration.telemetry
        masker = Masker(() if declared.logs is None else declared.logs.mask)
        self.logs = logs_of(
            declaration, replica=environ.get(_REPLICA_VARIABLE), masker=masker, writer=writer,
            clock=clock,
        )  # fmt: skip
        logs = self.logs or Logs(service=declaration.service, level=CRITICAL + 1)
        self.log = Logger(declaration.service, Door(logs))
        self.metrics: ServiceMetrics | None = None
        if declared.metrics is not None:
            self.metrics = ServiceMetrics(
                declaration, declared.metrics, environ=environ, clock=clock, mask=masker.label
            )
            events.add(self.metrics.heard)
            events.calls = True
        metrics = self.metrics
        self.registry = (
            Registry(own=FAMILIES, mask=masker.label) if metrics is None else metrics.registry
        )
        self.tracing = tracing_of(
            declaration, environ=environ, clock=clock, events=events, masker=masker
        )
        self.reports = reports_of(
            declaration, environ=environ, clock=clock, events=events, masker=masker, user=user
        )
        self._observer = self._observer_of(declaration)
        self._line = None if self.logs is None else FailureLine(self.logs)
        self.failures = Failures(*self._told(), line=self._line or Complaint())

    def _told(self) -> list[Told]:
        """Return who is told of errors, besides the logs."""
        told: list[Told] = []
        if self.tracing is not None:
            told.append(self.tracing.traces.failed)
        if self.reports is not None:
            told.append(self.reports.failed)
        return told

    def telling(self) -> Telling:
        """Return the doors by which a service tells what it does."""
        return Telling(
            observer=self._observer,
            failed=self.failures.failed,
            background=self.failures.background,
            complain=NOBODY.complain if self._line is None else self._line.complain,
            figures=None if self.metrics is None else self.metrics.endpoint,
            figures_path="" if self.metrics is None else self.metrics.path,
        )

    def _observer_of(self, declaration: Declaration) -> Observer | None:
        """Return who gets each exchange; None where nobody wants any."""
        line = None
        if self.logs is not None and declaration.inbound.access_log:
            line = AccessLine(self.logs, route_of)
        requests = None if self.metrics is None else self.metrics.requests
        traces = None if self.tracing is None else self.tracing.traces
        if line is None and requests is None and traces is None:
            return None
        return Ending(traces=traces, requests=requests, line=line)

    def join(self) -> None:
        """Let every line of this process go to the logs, whoever says it."""
        if self.logs is not None and self._joined is None:
            self._joined = join(self.logs)

    def watch(self, app: object) -> None:
        """Hear what the framework of an app tells by itself: routes, and errors that it answers.

        What the program has imported since ``join`` goes to the logs from now on.
        """
        if self._joined is not None:
            self._joined.again()
        if self._observer is not None:
            watch_routes(app)
        watch_errors(app, self.failures.unhandled)
        if self.tracing is not None:
            spare_spans(app)

    def close(self) -> None:
        """Send and write what waits, for a bounded time each."""
        if self.tracing is not None:
            self.tracing.close()
        if self.reports is not None:
            self.reports.close()
        if self.metrics is not None:
            self.metrics.close()
        if self.logs is not None:
            self.logs.close()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        """Tell an error that ends the program, close it, and give back what ``join`` took."""
        del kind, where
        if isinstance(error, Exception):
            self.failures.unhandled(error, is_logged=False)
        self.close()
        if self._joined is not None:
            self._joined.leave()
