"""What metrics cost: ``python -m bench.metrics [--calls 20000] [--json]``, about half a minute.

On the way of a request: a counter and a histogram with labels, beside prometheus_client; the
observer of requests; the listener of an attempt. Beside it: an answer of 5,000 series, what an
event loop notices of it, and what it costs to tell the other workers once a second.

All jobs take turns in one run and the best round of each counts, since noise only adds.
``--only NAME`` runs one job alone, for ``perf stat -e instructions:u``.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import prometheus_client

from mainstay.core.clock import SYSTEM_CLOCK
from mainstay.core.trace import arrive
from mainstay.service.inbound.exchange import TRACE_KEY, Exchange
from mainstay.service.outbound.events import Attempted
from mainstay.spec.declaration import Declaration
from mainstay.spec.telemetry import Metrics
from mainstay.telemetry.metrics.exposition.endpoint import Endpoint
from mainstay.telemetry.metrics.registry import Registry
from mainstay.telemetry.metrics.service_metrics import ServiceMetrics
from mainstay.telemetry.metrics.sharing.sharing import Sharing
from mainstay.telemetry.route import ROUTE_KEY

ROUNDS = 25
SERIES = 5000
MUST = {"counter with labels": 0.5, "histogram with labels": 0.7, "request": 2.0}
"""µs. The issue; the observer: the brief of this room."""

ANSWER_MS_MAX = 20.0
OPENMETRICS = b"application/openmetrics-text"

Job = Callable[[], object]


def ours() -> dict[str, Job]:
    registry = Registry()
    orders = registry.counter("orders", "Orders placed.", labels=("region", "method"))
    sizes = registry.histogram("checkout", "How long.", labels=("region", "method"))
    bound, bound_size = orders.labels("eu", "card"), sizes.labels("eu", "card")
    metrics = ServiceMetrics(Declaration(service="b", app="b:b"), Metrics(), environ={})
    known, sampled, fresh = exchange(), exchange(), exchange()
    sampled.scope[TRACE_KEY] = arrive(Random(7))._replace(flags=1)
    event = Attempted(at_s=0.0, dependency="payments", attempt=1, outcome="success", took_s=0.03)

    def request() -> None:
        # As after a real request: its route is still to be looked for.
        fresh.scope.pop(ROUTE_KEY, None)
        metrics.requests.ended(fresh, 5.03)

    return {
        "counter with labels": lambda: orders.labels("eu", "card").inc(),
        "histogram with labels": lambda: sizes.labels("eu", "card").observe(0.03),
        "counter, looked up before": bound.inc,
        "histogram, looked up before": lambda: bound_size.observe(0.03),
        "request": request,
        "request, its route known": lambda: metrics.requests.ended(known, 5.03),
        "request, sampled": lambda: metrics.requests.ended(sampled, 5.03),
        "attempt of a policy": lambda: metrics.heard(event),
    }


def theirs() -> dict[str, Job]:
    registry = prometheus_client.CollectorRegistry()
    labels = ("region", "method")
    orders = prometheus_client.Counter("orders", "Orders placed.", labels, registry=registry)
    sizes = prometheus_client.Histogram("checkout", "How long.", labels, registry=registry)
    return {
        "prometheus_client, counter with labels": lambda: orders.labels("eu", "card").inc(),
        "prometheus_client, histogram with labels": (
            lambda: sizes.labels("eu", "card").observe(0.03)
        ),
    }


class Route:
    """What Starlette leaves in the scope."""

    path_format = "/orders/{id}"


def exchange() -> Exchange:
    made = Exchange()
    made.method, made.path, made.status, made.kind = "GET", "/orders/17", 200, "http"
    made.started_s, made.error, made.refusal = 5.0, None, None
    made.scope = {"scheme": "http", "route": Route()}
    return made


def filled(histograms: bool) -> Registry:  # noqa: FBT001  Named where it is called.
    """Return a registry with about 5,000 series, as Prometheus counts them."""
    registry = Registry(series_max=SERIES)
    if histograms:
        latency = registry.histogram("latency", "x", labels=("method", "route", "status"))
        for number in range(SERIES // 17):
            latency.labels("GET", f"/items/{number}", "200").observe(0.03)
    else:
        orders = registry.counter("orders", "x", labels=("method", "route", "status"))
        for number in range(SERIES):
            orders.labels("GET", f"/items/{number}", "200").inc()
    return registry


def answers() -> dict[str, Job]:
    jobs: dict[str, Job] = {}
    for what, histograms in (("counters", False), ("histograms", True)):
        registry = filled(histograms)
        endpoint = Endpoint(registry.snapshot, registry.exemplars)
        jobs[f"5,000 series, {what}"] = partial(endpoint.answer, OPENMETRICS)
        jobs[f"5,000 series, {what}, packed"] = partial(endpoint.answer, b"", b"gzip")
    theirs = prometheus_client.CollectorRegistry()
    orders = prometheus_client.Counter("orders", "x", ("m", "route", "status"), registry=theirs)
    for number in range(SERIES):
        orders.labels("GET", f"/items/{number}", "200").inc()
    jobs["5,000 series, prometheus_client"] = lambda: prometheus_client.generate_latest(theirs)
    return jobs


async def worst_lag_ms() -> float:
    """Return how late an event loop was at worst while 5,000 series were told twenty times."""
    registry = filled(histograms=False)
    endpoint = Endpoint(registry.snapshot, registry.exemplars)
    worst_s, asking = 0.0, True

    async def ask() -> None:
        nonlocal asking
        for _ in range(20):
            await endpoint.answer_async(OPENMETRICS)
        asking = False

    task = asyncio.create_task(ask())
    while asking:
        began_s = SYSTEM_CLOCK.monotonic_s()
        await asyncio.sleep(0.001)
        worst_s = max(worst_s, SYSTEM_CLOCK.monotonic_s() - began_s - 0.001)
    await task
    return worst_s * 1000


def telling(folder: Path) -> dict[str, Job]:
    workers = [Sharing(filled(histograms=True), folder, shared=True) for _ in range(3)]
    for worker in workers:
        worker.tell()
    mine = Sharing(filled(histograms=True), folder, shared=True)
    return {"telling the other workers": mine.tell, "adding up four workers": mine.collect}


def round_us(job: Job, calls: int) -> float:
    begun_s = SYSTEM_CLOCK.monotonic_s()
    for _ in range(calls):
        job()
    return (SYSTEM_CLOCK.monotonic_s() - begun_s) / calls * 1e6


def best_us(jobs: dict[str, Job], calls: int, rounds: int) -> dict[str, float]:
    best = dict.fromkeys(jobs, float("inf"))
    for _ in range(rounds):
        for name, job in jobs.items():
            best[name] = min(best[name], round_us(job, calls))
    return best


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=5_000)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", help="run one job alone, --calls times")
    options = parser.parse_args()
    quick = {**ours(), **theirs()}
    if options.only:
        round_us(quick[options.only], options.calls)
        return 0
    found: dict[str, Any] = best_us(quick, options.calls, ROUNDS)
    # Before there are workers, whose threads tell by themselves.
    lag_ms = min(asyncio.run(worst_lag_ms()) for _ in range(3))
    with tempfile.TemporaryDirectory() as folder:
        slow = {**answers(), **telling(Path(folder) / "replica")}
        slow_ms = {name: us / 1000 for name, us in best_us(slow, 1, 15).items()}
    if options.json:
        print(json.dumps({"us": found, "ms": slow_ms, "worst_lag_ms": lag_ms}))
    else:
        show(found, slow_ms, lag_ms)
    late = [name for name, must_us in MUST.items() if found[name] > must_us]
    late += [name for name in slow_ms if "5,000" in name and "prom" not in name
             and slow_ms[name] > ANSWER_MS_MAX]  # fmt: skip
    if late:
        print(f"above what they must be: {', '.join(late)}", file=sys.stderr)
    return 1 if late else 0


def show(found: dict[str, float], slow_ms: dict[str, float], lag_ms: float) -> None:
    for name, us in found.items():
        must = f"   must be ≤ {MUST[name] * 1000:.0f}" if name in MUST else ""
        print(f"{name:42} {us * 1000:8.0f} ns{must}")
    for what in ("counter with labels", "histogram with labels"):
        ratio = found[f"prometheus_client, {what}"] / found[what]
        print(f"{what:42} {ratio:8.1f} times as fast as prometheus_client's")
    for name, took_ms in slow_ms.items():
        print(f"{name:42} {took_ms:8.2f} ms")
    print(f"{'worst lag of a loop meanwhile':42} {lag_ms:8.2f} ms")


if __name__ == "__main__":
    sys.exit(main())
