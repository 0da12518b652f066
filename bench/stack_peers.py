"""What others stack for the same jobs; installed for the benchmarks alone (``make bench-stack``).

Each as its own documentation shows it: correlation ids, an access line by structlog, request
metrics, rate limits, security headers, a timeout, and OpenTelemetry's own SDK and middleware, which
samples a tenth.
"""

from typing import Any


def around(app: Any) -> Any:  # noqa: C901  One closure for each peer.
    import asyncio
    import logging

    import structlog
    from asgi_correlation_id import CorrelationIdMiddleware, correlation_id
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
    from prometheus_fastapi_instrumentator import Instrumentator
    from secure import Secure
    from slowapi import Limiter
    from slowapi.middleware import SlowAPIASGIMiddleware
    from slowapi.util import get_remote_address

    from mainstay.core.clock import SystemClock

    clock = SystemClock()

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(),
    )
    log = structlog.get_logger()
    secure = Secure.with_default_headers()
    names = [(name.lower().encode(), value.encode()) for name, value in secure.headers.items()]

    class Headers:
        def __init__(self, inner: Any) -> None:
            self.inner = inner

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            async def dressed(message: Any) -> None:
                if message["type"] == "http.response.start":
                    message["headers"] = [*message["headers"], *names]
                await send(message)

            await self.inner(scope, receive, dressed)

    class Line:
        def __init__(self, inner: Any) -> None:
            self.inner = inner

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] != "http":
                await self.inner(scope, receive, send)
                return
            structlog.contextvars.clear_contextvars()
            structlog.contextvars.bind_contextvars(request_id=correlation_id.get())
            began_s, status = clock.monotonic_s(), 0

            async def noted(message: Any) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                await send(message)

            await self.inner(scope, receive, noted)
            log.info(
                "request",
                method=scope["method"],
                path=scope["path"],
                status=status,
                duration_ms=(clock.monotonic_s() - began_s) * 1000,
            )

    class Timeout:
        def __init__(self, inner: Any) -> None:
            self.inner = inner

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] != "http":
                await self.inner(scope, receive, send)
                return
            async with asyncio.timeout(5.0):
                await self.inner(scope, receive, send)

    app.state.limiter = Limiter(key_func=get_remote_address, default_limits=["1000000/second"])
    app.add_middleware(SlowAPIASGIMiddleware)
    Instrumentator().instrument(app)
    app.add_middleware(Timeout)
    app.add_middleware(Headers)
    app.add_middleware(Line)
    app.add_middleware(CorrelationIdMiddleware)
    provider = TracerProvider(sampler=ParentBased(TraceIdRatioBased(0.1)))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    app.add_middleware(OpenTelemetryMiddleware, tracer_provider=provider)
    return app
