"""A collector that is away, stuck or refuses costs no request anything: counted, and not timed.

What a request's thread does is counted call by call. A request that waited, or sent anything by
itself, would call what it does not call otherwise.
"""

import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest
from tests.telemetry.logs.sinks import Kept
from tests.telemetry.traces.kit import span
from tests.telemetry.traces.receiver import Receiver, receiving
from tests.telemetry.traces.test_exporter import closed_port

from mainstay import Service
from mainstay.core.clock import SYSTEM_CLOCK, pause
from mainstay.spec.declaration import Declaration
from mainstay.spec.telemetry import Telemetry, Traces
from mainstay.telemetry.logs.writer import Writer
from mainstay.telemetry.traces.exporter import BATCH_MAX, QUEUE_MAX, Exporter

REQUESTS = 200
FLUSH_S = 60.0
GENEROUS_S = 60.0
BLOCKING = frozenset(
    {"sleep", "wait", "select", "poll", "connect", "recv", "recv_into", "send", "sendall", "join"}
)
"""C functions by which a thread waits for something; ``send`` also as what writes to a socket."""


class Gate(threading.Event):
    """Closed, and says when somebody stands before it."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = threading.Event()

    def wait(self, timeout: float | None = None) -> bool:
        self.reached.set()
        return super().wait(timeout)


@contextmanager
def collector(state: str, gate: Gate | None = None) -> Iterator[str]:
    """Have a collector in some state; its URL."""
    if state == "away":
        yield f"http://127.0.0.1:{closed_port()}"
        return
    statuses = {"refusing": [400], "busy": [503]}.get(state, [200])
    told: dict[str, Any] = {"gate": gate} if state in {"stuck", "full"} else {}
    with receiving(statuses=statuses, **told) as receiver:
        yield receiver.url


def service_to(url: str) -> Service:
    traces = Traces(sample=1.0, endpoint=url)
    declared = Declaration(service="shop", app="a:b", telemetry=Telemetry(traces=traces))
    return Service(declared, environ={}, writer=Writer(Kept().outlet()))


def exporter_of(service: Service) -> Exporter:
    assert service.telemetry.tracing is not None
    return service.telemetry.tracing.exporter


async def app(scope: Any, receive: Any, send: Any) -> None:
    del scope, receive
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


async def asked(shell: Any) -> None:
    """Ask once, with ids of a caller's, so that none is drawn. Any: ASGI."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        del message

    await shell(
        {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET",
            "scheme": "http", "path": "/", "raw_path": b"/", "root_path": "", "query_string": b"",
            "headers": [
                (b"host", b"localhost"),
                (b"traceparent", b"00-" + b"a" * 32 + b"-0000000000000001-01"),
            ],
            "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
        },
        receive, send,
    )  # fmt: skip


async def calls_of(shell: Any) -> Counter[str]:
    """Return what this thread calls while requests are answered. Any: ASGI."""
    found: Counter[str] = Counter()

    # Any: a frame's function, or one of C.
    def note(frame: FrameType, event: str, function: Any) -> None:
        if event == "call":
            found[frame.f_code.co_qualname] += 1
        elif event == "c_call":
            found[f"C {function.__name__}"] += 1

    sys.setprofile(note)
    try:
        for _ in range(REQUESTS):
            await asked(shell)
    finally:
        sys.setprofile(None)
    return found


async def measured(state: str) -> tuple[Counter[str], Exporter]:
    """Return what requests call with a collector in some state, and the exporter afterwards."""
    gate = Gate()
    with collector(state, gate) as url:
        service = service_to(url)
        shell, exporter = service.asgi(app), exporter_of(service)
        for _ in range(20):
            await asked(shell)
        if state == "full":
            # One batch is on its way, and will be for long.
            assert gate.reached.wait(GENEROUS_S)
            while not exporter.dropped:
                exporter.put(span())
        return await calls_of(shell), exporter


@pytest.mark.parametrize("state", ["away", "refusing", "busy", "stuck", "full"])
async def test_no_request_does_more_or_waits(state: str) -> None:
    """Law: what a request does, does not depend on how its collector is."""
    usual, _ = await measured("answering")
    found, exporter = await measured(state)
    # One more or less by chance, as a burst of lines that is told: not one for each request, but
    # what a span costs that finds no place.
    lost = {name: count for name, count in found.items() if name.endswith("_drop")}
    assert sum(lost.values()) == (REQUESTS if state == "full" else 0)
    more = (found - usual).total() - 4 * sum(lost.values())
    assert more <= usual.total() * 0.01, found - usual
    waits = {name for name in found if name.removeprefix("C ") in BLOCKING and name[:2] == "C "}
    assert waits <= {name for name in usual if name[:2] == "C "}
    assert not [name for name in found if name.startswith(("Collector.", "Timed.", "HTTPConn"))]
    assert len(exporter._waiting) <= QUEUE_MAX


@pytest.mark.parametrize(
    ("state", "reason"), [("away", "away"), ("refusing", "refused"), ("busy", "away")]
)
async def test_what_was_dropped_is_counted_in_the_metrics(state: str, reason: str) -> None:
    with collector(state) as url:
        service = service_to(url)
        shell, exporter = service.asgi(app), exporter_of(service)
        for _ in range(REQUESTS):
            await asked(shell)
        _until(lambda: exporter.flush(FLUSH_S) and told(service, reason) == REQUESTS)
        assert exporter.dropped == {reason: REQUESTS}


async def test_memory_is_bounded_with_a_collector_that_is_stuck() -> None:
    """Law: of what can't be sent so much is kept and no more; the rest is counted, to the last."""
    with receiving(gate=Receiver().gate) as receiver:
        service = service_to(receiver.url)
        exporter = exporter_of(service)
        total = 3 * QUEUE_MAX
        for _ in range(total):
            exporter.put(span())
            assert len(exporter._waiting) <= QUEUE_MAX
        assert exporter.dropped["queue"] >= total - QUEUE_MAX - BATCH_MAX
        receiver.gate.set()
        assert exporter.flush(FLUSH_S)
        lost = exporter.dropped["queue"]
        assert exporter.sent == len(receiver.spans) == total - lost
        _until(lambda: told(service, "queue") == lost)


def told(service: Service, reason: str) -> int:
    """Return how many spans a scraper hears were dropped."""
    metrics = service.telemetry.metrics
    assert metrics is not None
    name = f'mainstay_telemetry_dropped_total{{signal="spans",reason="{reason}"}} '
    lines = metrics.endpoint.answer().body.decode().splitlines()
    return sum(int(float(line.removeprefix(name))) for line in lines if line.startswith(name))


# Any: what it is called with is a lambda.
def _until(condition: Any) -> None:
    last_s = SYSTEM_CLOCK.monotonic_s() + GENEROUS_S
    while not condition():
        assert SYSTEM_CLOCK.monotonic_s() < last_s, "it never came to be"
        pause(0.01)
