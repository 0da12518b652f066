"""``ServiceMetrics``: all metrics of one service in one process, and what tells them."""

from collections.abc import Callable, Iterable, Mapping

from mainstay.core.clock import SYSTEM_CLOCK, Clock
from mainstay.core.events import Event
from mainstay.service.inbound.stopping.drain import Drain
from mainstay.service.outbound.dependency import DependencyPolicy
from mainstay.service.outbound.events import CallEnded
from mainstay.spec.declaration import Declaration
from mainstay.spec.telemetry import Metrics
from mainstay.telemetry.metrics.counting.calls import CallMetrics
from mainstay.telemetry.metrics.counting.clients import ClientMetrics
from mainstay.telemetry.metrics.counting.guards import GuardMetrics
from mainstay.telemetry.metrics.counting.readings import (
    Admits,
    Checks,
    read_admission,
    read_checks,
    read_drain,
    read_lines,
    read_policies,
    read_process,
    read_target,
)
from mainstay.telemetry.metrics.counting.requests import RequestMetrics
from mainstay.telemetry.metrics.exposition.endpoint import Endpoint
from mainstay.telemetry.metrics.metric import Mask
from mainstay.telemetry.metrics.registry import Registry
from mainstay.telemetry.metrics.sharing.sharing import sharing_of
from mainstay.telemetry.metrics.table import FAMILIES

_REPLICA_VARIABLE = "MAINSTAY_REPLICA"


class ServiceMetrics:
    """What a service counts, and the answer to who asks for it.

    ::

        metrics = ServiceMetrics(declaration, declared, environ=environ)
        service.events.add(metrics.heard)          # what policies and guards decide
        service.events.calls = True                # and each call of a client
        metrics.requests.ended(exchange, ended_s)  # each request: an observer
        metrics.watch(drain=drain, ...)            # what is read when somebody asks
        metrics.endpoint.answer(accept)            # for who asks at `path`
        service.on_stop(metrics.close, stage="telemetry")

    Args:
        declaration: Of the service.
        declared: ``telemetry.metrics``.
        environ: Where the engine's words are found.
        clock: Where time comes from.
        mask: Hides secrets in the values of labels; None: they are shown as they are.

    Attributes:
        path: Where the endpoint is asked.
        registry: What is counted, and what programs count beside it.
        requests: Takes each exchange that has ended.
        endpoint: Answers scrapers.
    """

    def __init__(
        self,
        declaration: Declaration,
        declared: Metrics,
        *,
        environ: Mapping[str, str],
        clock: Clock = SYSTEM_CLOCK,
        mask: Mask | None = None,
    ) -> None:
        self.path = declared.path
        self.registry = registry = Registry(series_max=declared.series_max, own=FAMILIES, mask=mask)
        self.requests = RequestMetrics(registry)
        self._sharing = sharing_of(
            registry, service=declaration.service, environ=environ, clock=clock
        )
        self.endpoint = Endpoint(self._sharing.collect, registry.exemplars, clock=clock)
        guards = GuardMetrics(registry)
        self._handlers = CallMetrics(registry).handlers() | guards.handlers()
        self._handlers[CallEnded] = ClientMetrics(registry)
        self._foreign = guards.foreign_handlers()
        registry.read(read_process(clock))
        registry.read(
            read_target(
                declaration.service,
                declaration.version,
                environ.get(_REPLICA_VARIABLE),
                declaration.telemetry.environment,
            )
        )

    def heard(self, event: Event) -> None:
        """Count an event: the listener of a service. What means nothing here is let pass."""
        kind = type(event)
        handle = self._handlers.get(kind) or self._foreign.get(kind.__name__)
        if handle is not None:
            handle(event)

    def watch(
        self,
        *,
        drain: Drain,
        checks: Checks,
        admission: Admits | None,
        policies: Callable[[], Iterable[DependencyPolicy]],
        lines_missing: Callable[[], Mapping[str, int]] | None = None,
    ) -> None:
        """Have figures read that others keep, whenever somebody asks. To be called once.

        Args:
            drain: What is in flight.
            checks: The board of health.
            admission: None where it is off.
            policies: Returns those of the dependencies in use.
            lines_missing: Returns how many lines of the log nobody will read, by the reason; None:
                nobody knows.
        """
        registry = self.registry
        read_drain(registry, drain)
        registry.read(read_checks(checks))
        registry.read(read_policies(registry, policies))
        if admission is not None:
            registry.read(read_admission(registry, admission))
        if lines_missing is not None:
            registry.read(read_lines(registry, lines_missing))

    def close(self) -> None:
        """Tell the other processes of the replica, if there are any, for the last time."""
        self._sharing.close()
