"""A service with traces and error reports, joined as the process of a user joins them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mainstay.core.clock import SYSTEM_CLOCK
from mainstay.service.service import Service
from mainstay.spec.declaration import Declaration
from mainstay.spec.inbound import Inbound
from mainstay.spec.telemetry import ErrorReports, Telemetry, Traces
from mainstay.telemetry.failures import Failures, Told
from mainstay.telemetry.masking import Masker
from mainstay.telemetry.reports import reports_of, watch_errors
from mainstay.telemetry.route import matched_route, watch_routes
from mainstay.telemetry.traces.joining import Tracing, tracing_of

if TYPE_CHECKING:
    from mainstay.telemetry.reports.reports import Reports

LONG_S = 60.0


class Joined:
    """A service and what tells of it."""

    def __init__(self, *, endpoint: str | None, dsn: str | None, sample: float) -> None:
        telemetry = Telemetry(
            traces=None if endpoint is None else Traces(sample=sample, endpoint=endpoint),
            errors=None if dsn is None else ErrorReports(dsn=dsn),
        )
        declaration = Declaration(
            service="shop",
            app="shop:app",
            telemetry=telemetry,
            inbound=Inbound(access_log=False),
        )
        self.service = service = Service(declaration, environ={})
        given: dict[str, Any] = {
            "environ": {},
            "clock": SYSTEM_CLOCK,
            "events": service.events,
            "masker": Masker(),
            "route": matched_route,
        }
        self.tracing: Tracing | None = tracing_of(declaration, **given)
        self.reports: Reports | None = reports_of(declaration, **given)
        told: list[Told] = []
        if self.tracing is not None:
            told.append(self.tracing.traces.failed)
            service.on_stop(self.tracing.close, stage="telemetry")
        if self.reports is not None:
            told.append(self.reports.failed)
            service.on_stop(self.reports.close, stage="telemetry")
        self.failures = Failures(*told)
        service._inbound = replace(
            service._inbound,
            observer=None if self.tracing is None else self.tracing.traces,
            report=self.failures.failed,
            complain=lambda _text: None,
        )
        service._inbound.drain.background.report = self.failures.background

    def asgi(self, app: Any) -> Any:
        """Wrap an app. Any: of any framework."""
        watch_errors(app, self.failures.unhandled)
        watch_routes()
        return self.service.asgi(app)

    def wsgi(self, app: Any) -> Any:
        """Wrap an app. Any: of any framework."""
        watch_errors(app, self.failures.unhandled)
        watch_routes()
        return self.service.wsgi(app)

    def flush(self) -> None:
        """Send what waits."""
        if self.tracing is not None:
            assert self.tracing.exporter.flush(LONG_S)
        if self.reports is not None:
            self.reports.close(LONG_S)


@contextmanager
def joined(**given: Any) -> Iterator[Joined]:
    """Make one, and send the rest at the end."""
    made = Joined(**{"endpoint": None, "dsn": None, "sample": 1.0, **given})
    yield made
    made.flush()
