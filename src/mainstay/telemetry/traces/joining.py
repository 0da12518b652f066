"""Makes the traces of a service from its declaration: exporter, observer, OpenTelemetry's API."""

import atexit
import os
from collections.abc import Mapping
from functools import partial
from importlib.util import find_spec
from random import Random

from mainstay import __version__
from mainstay.core.clock import SYSTEM_CLOCK, Clock
from mainstay.core.events import Listeners
from mainstay.core.trace import sample_below
from mainstay.spec.declaration import Declaration
from mainstay.telemetry.masking import Masker
from mainstay.telemetry.route import matched_route
from mainstay.telemetry.traces.calls import Calls
from mainstay.telemetry.traces.collector import Collector
from mainstay.telemetry.traces.endpoint import endpoint_of, instance_of, resource_of
from mainstay.telemetry.traces.exporter import Exporter
from mainstay.telemetry.traces.otlp import Masks
from mainstay.telemetry.traces.span import Attributes
from mainstay.telemetry.traces.traces import Route, Traces

_AT_EXIT_S = 2.0
"""For processes that end without a drain, such as scripts."""


class Tracing:
    """The traces of a service, and what sends them.

    Args:
        traces: Makes them.
        exporter: Sends them.

    Attributes:
        traces: The observer; its ``failed`` takes unhandled errors.
        exporter: As given.
    """

    __slots__ = ("exporter", "traces")

    def __init__(self, traces: Traces, exporter: Exporter) -> None:
        self.traces = traces
        self.exporter = exporter

    def close(self) -> None:
        """Send what waits: the last stage of a drain."""
        self.exporter.flush()


def tracing_of(
    declaration: Declaration,
    *,
    environ: Mapping[str, str] | None = None,
    clock: Clock = SYSTEM_CLOCK,
    events: Listeners | None = None,
    masker: Masker | None = None,
    route: Route = matched_route,
) -> Tracing | None:
    """Return the traces of a service; None where none are declared, or nobody takes them.

    Where OpenTelemetry's API is installed, spans of user code go the same way.

    Args:
        declaration: With ``telemetry.traces``.
        environ: OpenTelemetry's variables; None: the process's.
        clock: Times spans.
        events: Heard, and told of what is dropped; None: there are none, as in a script.
        masker: Hides secrets before anything leaves; None: one that knows the usual ones.
        route: Returns the template of a request's route.

    Raises:
        ConfigInvalid: The environment names an endpoint that is none.
    """
    environ = os.environ if environ is None else environ
    events = Listeners() if events is None else events
    masker = Masker() if masker is None else masker
    declared = declaration.telemetry.traces
    if declared is None or (endpoint := endpoint_of(declared.endpoint, environ)) is None:
        return None

    rng = Random()
    # Else processes that fork off would go on with the same ids.
    os.register_at_fork(after_in_child=rng.seed)
    masks = Masks(masker.mapping, masker.text)
    exporter = Exporter(
        connect=lambda: Collector(endpoint),
        resource=partial(_resource, declaration, environ),
        masks=masks,
        clock=clock,
        rng=rng,
        events=events,
    )
    atexit.register(exporter.flush, _AT_EXIT_S)
    traces = Traces(
        put=exporter.put, masks=masks, clock=clock, slow_s=declared.slow_s, route=route,
        beginning=masker.beginning,
    )  # fmt: skip
    calls = Calls(put=exporter.put, rng=rng, slow_s=declared.slow_s, spans=declared.calls)
    events.add(calls.heard)
    # Only then: what nobody makes a span of must be nobody's parent.
    events.calls = events.calls or declared.calls
    _bridge(exporter, clock, rng, sample=declared.sample)
    return Tracing(traces, exporter)


def _resource(declaration: Declaration, environ: Mapping[str, str]) -> Attributes:
    """Return who speaks. Asked again in each process, since a fork has another id."""
    return resource_of(
        service=declaration.service,
        version=declaration.version,
        environment=declaration.telemetry.environment,
        instance=instance_of(environ, os.getpid()),
        environ=environ,
        library_version=__version__,
    )


def _bridge(exporter: Exporter, clock: Clock, rng: Random, *, sample: float) -> None:
    """Let spans of OpenTelemetry's API go the same way, where that is installed."""
    if not (find_spec("opentelemetry") and find_spec("opentelemetry.trace")):
        return
    # Only here: it is an extra, and takes a while to load.
    from mainstay.telemetry.traces.bridge import TracerProvider, install  # noqa: PLC0415

    install(
        TracerProvider(
            put=exporter.put,
            clock=clock,
            rng=rng,
            below=sample_below(sample),
            flush=exporter.flush,
        )
    )
