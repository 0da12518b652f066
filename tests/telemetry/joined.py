"""A service with traces and error reports, as the process of a user has it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.telemetry.logs.sinks import silent_writer

from mainstay import Service
from mainstay.spec.declaration import Declaration
from mainstay.spec.inbound import Inbound
from mainstay.spec.telemetry import ErrorReports, Telemetry, Traces

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
        self.service = Service(declaration, environ={}, writer=silent_writer())
        self.tracing = self.service.telemetry.tracing
        self.reports = self.service.telemetry.reports
        # Any: shells of any framework's app.
        self.asgi: Any = self.service.asgi
        self.wsgi: Any = self.service.wsgi

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
