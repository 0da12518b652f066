"""What traces cost: ``python bench/traces.py [--calls 5000] [--requests 3000] [--json]``.

Spans beside those of OpenTelemetry's SDK, and sending beside its exporter; then requests of one
app while the collector is there, away, stuck and refusing. All take turns in one run and the best
round of each counts, since noise only adds. ``perf stat -e instructions:u`` says the same without.
"""

import argparse
import asyncio
import json
import statistics
import threading
import tracemalloc
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from typing import TYPE_CHECKING, Any

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, sampling
from opentelemetry.sdk.trace import TracerProvider as SdkProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind

from mainstay.core.clock import SYSTEM_CLOCK
from mainstay.core.trace import SAMPLE_ALL, arrive, enter_trace, leave_trace
from mainstay.service.inbound.exchange import TRACE_KEY, Exchange
from mainstay.service.inbound.telling import Telling
from mainstay.service.service import Service
from mainstay.spec.declaration import Declaration
from mainstay.spec.inbound import Inbound
from mainstay.spec.telemetry import Telemetry
from mainstay.spec.telemetry import Traces as Declared
from mainstay.telemetry.masking import Masker
from mainstay.telemetry.traces import Tracing, tracing_of
from mainstay.telemetry.traces.bridge import TracerProvider, install
from mainstay.telemetry.traces.exporter import QUEUE_MAX
from mainstay.telemetry.traces.otlp import Masks, encoded
from mainstay.telemetry.traces.span import Span
from mainstay.telemetry.traces.traces import Traces

if TYPE_CHECKING:
    from mainstay.core.trace import Traced

ROUNDS = 15
UNSAMPLED_US_MAX, SAMPLED_US_MAX = 1.0, 12.0
"""Issue: a span without a sample, and one with."""

SLOWER_MAX = 1.01
"""Issue: of requests while the collector is away, slow or refusing."""

Job = Callable[[], object]
MASKER = Masker()
MASKS = Masks(MASKER.mapping, MASKER.text)
ATTRIBUTES = {"order.id": 7, "customer.tier": "gold"}


class Null(SpanExporter):
    """Takes spans of the SDK and does nothing."""

    def export(self, spans: Any) -> SpanExportResult:  # noqa: ARG002  The SDK's form.
        """Take them."""
        return SpanExportResult.SUCCESS


def exchange(below: int) -> Exchange:
    made = Exchange()
    trace = arrive(Random(7), below=below)
    given: dict[str, Any] = {
        "scope": {TRACE_KEY: trace, "http_version": "1.1", "scheme": "http"},
        "kind": "http",
        "method": "GET",
        "path": "/items/7",
        "get": {b"user-agent": b"curl/8.1"}.get,
        "client": "10.0.0.1",
        "request_id": trace.request_id,
        "started_s": 5.0,
        "begun_s": 5.01,
        "status": 200,
        "size": 3,
        "error": None,
        "refusal": None,
    }
    for name, value in given.items():
        setattr(made, name, value)
    return made


def jobs() -> dict[str, tuple[Job, "Traced | None"]]:
    """Return what is measured, and the request within which it is."""
    kept: deque[Span | bytes] = deque(maxlen=QUEUE_MAX)
    provider = TracerProvider(
        put=kept.append, clock=SYSTEM_CLOCK, rng=Random(1), below=SAMPLE_ALL, flush=lambda _s: True
    )
    install(provider)
    traces = Traces(
        put=kept.append,
        masks=MASKS,
        clock=SYSTEM_CLOCK,
        slow_s=1.0,
        route=lambda _exchange: "/items/{id}",
        beginning=MASKER.beginning,
    )
    dropped, taken = exchange(0), exchange(SAMPLE_ALL)
    tracer = provider.get_tracer("bench")
    off = SdkProvider(sampler=sampling.ALWAYS_OFF).get_tracer("bench")
    sdk = SdkProvider(sampler=sampling.ALWAYS_ON)
    sdk.add_span_processor(BatchSpanProcessor(Null()))
    on = sdk.get_tracer("bench")

    def span_of(one: Any) -> Job:
        """Return what makes a span. Any: a tracer of the API."""

        def make() -> None:
            with one.start_as_current_span("work", attributes=ATTRIBUTES):
                pass

        return make

    return {
        "request, unsampled": (lambda: traces.ended(dropped, 5.02), None),
        "request, sampled": (lambda: traces.ended(taken, 5.02), None),
        "request, sampled, went well: written out": (
            lambda: traces.went_well(taken, 5.02, "/items/{id}", taken.trace[:4]),
            None,
        ),
        "user's span, unsampled": (span_of(tracer), dropped),
        "user's span, sampled": (span_of(tracer), taken),
        "SDK's span, unsampled": (span_of(off), None),
        "SDK's span, sampled": (span_of(on), None),
        **{name: (job, None) for name, job in sending(taken, traces, kept).items()},
    }


def sending(taken: Exchange, traces: Traces, kept: "deque[Span | bytes]") -> dict[str, Job]:
    """Return what a thread does with one span: ours masked and as it is, and the exporter's."""
    traces.ended(taken, 5.02)
    ours = kept[-1]
    assert isinstance(ours, Span), "not written out"
    plain = Masks(lambda found: found, lambda text: text)
    held: list[ReadableSpan] = []

    class Hold(SpanProcessor):
        def on_end(self, span: ReadableSpan) -> None:
            held.append(span)

    provider = SdkProvider()
    provider.add_span_processor(Hold())
    with provider.get_tracer("bench").start_as_current_span(
        ours.name, kind=SpanKind.SERVER, attributes=dict(ours.attributes)
    ):
        pass
    return {
        "encode a request's span, masked": lambda: encoded(ours, MASKS),
        "encode a request's span": lambda: encoded(ours, plain),
        "SDK: encode the same": lambda: encode_spans(held).SerializeToString(),
    }


def measured(all_jobs: dict[str, tuple[Job, "Traced | None"]], calls: int) -> dict[str, float]:
    """Return the best microseconds of each job, which take turns."""
    best = dict.fromkeys(all_jobs, float("inf"))
    for _ in range(ROUNDS):
        for name, (job, within) in all_jobs.items():
            token = enter_trace(within)
            began_s = SYSTEM_CLOCK.monotonic_s()
            for _ in range(calls):
                job()
            took_us = (SYSTEM_CLOCK.monotonic_s() - began_s) / calls * 1e6
            leave_trace(token)
            best[name] = min(best[name], took_us)
    return best


class Collector:
    """An OTLP receiver that takes, refuses, or holds its answers until it ends."""

    def __init__(self, status: int, *, stuck: bool = False) -> None:
        gate = self._gate = threading.Event()
        if not stuck:
            gate.set()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                gate.wait(60)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Let go what is held, and end."""
        self._gate.set()
        self._server.shutdown()
        self._server.server_close()


async def _app(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


def asked(endpoint: str | None, sample: float) -> tuple[Any, Tracing | None]:
    """Return a wrapped app, and what sends its spans. Any: an ASGI app."""
    declared = None if endpoint is None else Declared(sample=sample, endpoint=endpoint)
    declaration = Declaration(
        service="shop",
        app="shop:app",
        telemetry=Telemetry(traces=declared),
        inbound=Inbound(access_log=False),
    )
    service = Service(declaration, environ={})
    tracing = tracing_of(declaration, environ={}, events=service.events)
    observer = None if tracing is None else tracing.traces
    service._inbound = replace(service._inbound, telling=Telling(observer=observer))  # noqa: SLF001  As joined.
    return service.asgi(_app), tracing


async def _requests(app: Any, number: int) -> float:
    """Return the median microseconds of a request. Any: an ASGI app."""

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    async def send(_message: Any) -> None:
        return

    took = []
    for _ in range(number):
        scope = {
            "type": "http",
            "method": "GET",
            "path": "/items/7",
            "http_version": "1.1",
            "scheme": "http",
            "client": ("10.0.0.1", 5),
            "headers": [(b"host", b"shop"), (b"user-agent", b"curl/8.1")],
        }
        began_s = SYSTEM_CLOCK.monotonic_s()
        await app(scope, receive, send)
        took.append(SYSTEM_CLOCK.monotonic_s() - began_s)
    return statistics.median(took) * 1e6


def collectors(number: int) -> dict[str, float]:
    """Return microseconds of a request at 10 % with each kind of collector: the least of rounds."""
    there, stuck, refusing = Collector(200), Collector(200, stuck=True), Collector(503)
    urls = {
        "no traces": None,
        "there": there.url,
        "away": "http://127.0.0.1:9",
        "stuck": stuck.url,
        "refusing": refusing.url,
    }
    apps = {name: asked(url, 0.1) for name, url in urls.items()}
    best = dict.fromkeys(apps, float("inf"))
    for _ in range(ROUNDS):
        for name, (app, _tracing) in apps.items():
            best[name] = min(best[name], asyncio.run(_requests(app, number)))
    for one in (there, stuck, refusing):
        one.close()
    return best


def queue_kib() -> float:
    """Return what a full queue holds of memory, in KiB."""
    kept: list[bytes] = []
    traces = Traces(
        # As the exporter does with those that are short, and so with nearly all.
        put=lambda span: kept.append(span if isinstance(span, bytes) else encoded(span, MASKS)),
        masks=MASKS,
        clock=SYSTEM_CLOCK,
        slow_s=1.0,
        route=lambda _exchange: "/items/{id}",
        beginning=MASKER.beginning,
    )
    tracemalloc.start()
    for _ in range(QUEUE_MAX):
        traces.ended(exchange(SAMPLE_ALL), 5.02)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return size / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=5000)
    parser.add_argument("--requests", type=int, default=3000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    spans_us = measured(jobs(), options.calls)
    requests_us = collectors(options.requests)
    queue = queue_kib()
    if options.json:
        print(json.dumps({"us": spans_us, "request_us": requests_us, "queue_kib": queue}))
        return
    for name, took_us in spans_us.items():
        print(f"{name:34} {took_us:7.2f} µs")
    short = False
    for mine, theirs, bound in (
        ("user's span, unsampled", "SDK's span, unsampled", UNSAMPLED_US_MAX),
        ("user's span, sampled", "SDK's span, sampled", SAMPLED_US_MAX),
    ):
        ratio = spans_us[theirs] / spans_us[mine]
        short = short or spans_us[mine] > bound
        print(f"{mine}: {ratio:.1f} x as fast as the SDK; at most {bound:.0f} µs")
    # Ours is written out by whoever ends it, the SDK's in its thread.
    whole_us = spans_us["user's span, sampled"] + spans_us["encode a request's span, masked"]
    short = short or whole_us > SAMPLED_US_MAX
    print(f"user's span, sampled, and written out: {whole_us:.2f} µs")
    for name, took_us in requests_us.items():
        slower = took_us / requests_us["there"]
        short = short or slower > SLOWER_MAX
        print(f"a request, collector {name:12} {took_us:7.2f} µs, {slower:.3f} of there")
    print(f"at most {SLOWER_MAX}; a full queue holds {queue:.0f} KiB")
    raise SystemExit(1 if short else 0)


if __name__ == "__main__":
    main()
