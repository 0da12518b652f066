"""Ids in executors, of a whole service: spans and lines of what runs there are the request's."""

import asyncio
from random import Random
from typing import Any

import pytest
from opentelemetry import context as context_api
from tests.telemetry.logs.sinks import Kept
from tests.telemetry.traces.receiver import receiving

from mainstay import Service
from mainstay.core.clock import SYSTEM_CLOCK
from mainstay.core.trace import SAMPLE_ALL
from mainstay.spec.declaration import Declaration
from mainstay.spec.telemetry import Telemetry, Traces
from mainstay.telemetry.logs.writer import Writer
from mainstay.telemetry.traces.bridge import TracerProvider
from mainstay.telemetry.traces.bridge.current import RequestContext


async def test_work_in_the_executor_of_the_loop_is_in_its_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Law: a request's work has its ids, whichever thread of the loop does it."""
    kept = Kept()
    with receiving() as receiver:
        traces = Traces(sample=1.0, endpoint=receiver.url)
        declared = Declaration(service="shop", app="a:b", telemetry=Telemetry(traces=traces))
        service = Service(declared, environ={}, writer=Writer(kept.outlet()))
        assert service.telemetry.tracing is not None
        exporter = service.telemetry.tracing.exporter
        # The process's own belongs to whichever service was made first, in whichever test.
        monkeypatch.setattr(context_api, "_RUNTIME_CONTEXT", RequestContext(SYSTEM_CLOCK))
        tracer = TracerProvider(
            put=exporter.put, clock=SYSTEM_CLOCK, rng=Random(1), below=SAMPLE_ALL,
            flush=exporter.flush,
        ).get_tracer("shop")  # fmt: skip

        def work() -> None:
            with tracer.start_as_current_span("work"):
                service.log.info("worked")

        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "lifespan":
                await receive()
                await send({"type": "lifespan.startup.complete"})
                await receive()
                await send({"type": "lifespan.shutdown.complete"})
                return
            await asyncio.get_running_loop().run_in_executor(None, work)
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})

        await asked(service.asgi(app))
        assert await asyncio.to_thread(exporter.flush, 30)
        spans = {one.name: one for one in receiver.spans}
    assert spans["work"].trace_id == spans["GET"].trace_id
    assert spans["work"].parent_span_id == spans["GET"].span_id
    [line] = [one for one in kept.lines() if one["event"] == "worked"]
    assert line["trace_id"] == spans["GET"].trace_id.hex()
    assert line["span_id"] == spans["work"].span_id.hex()


async def asked(app: Any) -> None:
    """Have an app live, and serve a request meanwhile. Any: ASGI."""
    said: asyncio.Queue[str] = asyncio.Queue()
    hears: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def tell(message: dict[str, Any]) -> None:
        await said.put(message["type"])

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    lifespan = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
    living = asyncio.create_task(app(lifespan, hears.get, tell))
    await hears.put({"type": "lifespan.startup"})
    assert await said.get() == "lifespan.startup.complete"
    scope: dict[str, Any] = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET",
        "scheme": "http", "path": "/", "raw_path": b"/", "root_path": "", "query_string": b"",
        "headers": [(b"host", b"localhost")], "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }  # fmt: skip
    await app(scope, receive, tell)
    assert await said.get() == "http.response.start"
    await hears.put({"type": "lifespan.shutdown"})
    await living
