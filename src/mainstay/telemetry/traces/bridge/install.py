"""Puts ours in the place of OpenTelemetry's own, for the whole process."""

from opentelemetry import context as context_api
from opentelemetry import trace as trace_api

from mainstay.telemetry.traces.bridge.current import RequestContext
from mainstay.telemetry.traces.bridge.tracer import TracerProvider


def install(provider: TracerProvider) -> bool:
    """Let OpenTelemetry's API find the spans of requests, and make its spans ours.

    The first provider of a process stays, whosever it is: so says the API. Spans of another one
    have those of requests as parents all the same.

    Args:
        provider: Takes what user code begins.

    Returns:
        Whether it is the process's provider now.
    """
    if not isinstance(context_api._RUNTIME_CONTEXT, RequestContext):  # noqa: SLF001  See below.
        # The API's own way needs an entry point and a variable that is set before its import.
        context_api._RUNTIME_CONTEXT = RequestContext(provider.clock)  # noqa: SLF001  As above.
    if isinstance(trace_api.get_tracer_provider(), trace_api.ProxyTracerProvider):
        trace_api.set_tracer_provider(provider)
    return trace_api.get_tracer_provider() is provider
