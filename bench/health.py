"""How soon a health probe is answered: `python -m bench.health`, about two minutes.

Three apps are served as they would be, and offered ten times what they can do; beside that load
a probe is asked over a connection of its own, again and again, at the port that only probes have,
where the edge asks, and in turns at the app's, for comparison. The last row has no server: what an
answer costs when the background has refreshed what it tells.

The load, the probe and the app share one machine: the figures hold what the scheduler of the
system adds, which on two cores is most of them.
"""

import http.client
import json
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mainstay.core.clock import SystemClock, pause
from mainstay.core.events import Listeners
from mainstay.service.inbound.health.board import Board
from mainstay.service.inbound.health.builtin import builtin_checks
from mainstay.service.inbound.health.probes import Probes
from mainstay.service.inbound.stopping.drain import Drain
from mainstay.spec.declaration import Declaration

CLOCK = SystemClock()
LOADED_S = 8.0
MUST_MS = 20.0
APPS_MEASURED = ("awaits", "threads", "busy_threads")
APP_PORT, OWN_PORT = "app's port", "own port"
OVERLOAD = 10
RATE_PER_S_MAX = 4000.0
"""More of the load generator would be a benchmark of that."""

APPS = """
import asyncio, time
from mainstay import Service
from mainstay.spec.declaration import Declaration

service = Service(Declaration(service="bench", app="bench_health:awaits"))
threaded = Service(Declaration(service="bench", app="bench_health:threads"))
HEAD = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]}
BODY = {"type": "http.response.body", "body": b"ok"}


def work(seconds):
    ends = time.thread_time() + seconds
    while time.thread_time() < ends:
        sum(range(200))


async def _awaits(scope, receive, send):
    work(0.001)
    await asyncio.sleep(0.02)
    work(0.001)
    await send(HEAD)
    await send(BODY)


def _threads(environ, start_response):
    time.sleep(0.05)
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]


def _busy_threads(environ, start_response):
    work(0.004)
    return _threads(environ, start_response)


async def _bare(scope, receive, send):
    if scope["type"] == "http":
        await _awaits(scope, receive, send)


awaits = service.asgi(_bare)
threads = threaded.wsgi(_threads)
busy_threads = threaded.wsgi(_busy_threads)
"""


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@contextmanager
def served(folder: Path, app: str) -> Iterator[tuple[int, int]]:
    """Serve one of the apps; yield its port, and that of probes, once it is ready."""
    port, door = free_port(), free_port()
    words = (
        "mainstay.service.inbound.serve", "--app", f"bench_health:{app}", "--port", str(port),
        "--probe-port", str(door),
    )  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", *words], cwd=folder, stdout=subprocess.DEVNULL
    )
    try:
        for _ in range(1000):
            if process.poll() is not None:
                raise SystemExit("the app was not served")
            try:
                if probe_ms(port) is not None:
                    break
            except OSError:
                pause(0.02)
        yield port, door
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def probe_ms(port: int) -> float | None:
    """Ask whether it is ready; return the milliseconds until the answer was whole, if it is."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    begun_s = CLOCK.monotonic_s()
    try:
        connection.request("GET", "/health/ready")
        answer = connection.getresponse()
        answer.read()
    finally:
        connection.close()
    return (CLOCK.monotonic_s() - begun_s) * 1000 if answer.status == 200 else None


def load(port: int, rate_per_s: float, seconds: float) -> "subprocess.Popen[str]":
    """Start a load in a process of its own, or it would hold the interpreter of the probe."""
    words = (
        "load", f"http://127.0.0.1:{port}/", "--rate", f"{rate_per_s:.0f}/s", "--json", "--quiet",
        "--duration", f"{seconds:.0f}s", "--max-in-flight", "400", "--timeout", "20s",
    )  # fmt: skip
    return subprocess.Popen(
        [sys.executable, "-m", "mainstay", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def answered_per_s(loading: "subprocess.Popen[str]", seconds: float) -> float:
    """Return how many answers of 200 a load has got a second."""
    said, _ = loading.communicate()
    return float(json.loads(said)["total"]["statuses"].get("200", 0)) / seconds


def under_overload(port: int, door: int) -> tuple[float, float, dict[str, list[float]]]:
    """Return what it can do a second, what it does under ten times that, and probes in ms.

    Those of the app's port and those of their own port take turns, under the same load.
    """
    capacity = max(1.0, answered_per_s(load(port, 1500.0, 4.0), 4.0))
    loading = load(port, min(OVERLOAD * capacity, RATE_PER_S_MAX), LOADED_S)
    pause(1.5)
    times: dict[str, list[float]] = {APP_PORT: [], OWN_PORT: []}
    ends_s = CLOCK.monotonic_s() + LOADED_S - 2
    while CLOCK.monotonic_s() < ends_s:
        for kind, asked in ((APP_PORT, port), (OWN_PORT, door)):
            took_ms = probe_ms(asked)
            assert took_ms is not None, "the probe said no"
            times[kind].append(took_ms)
            pause(0.01)
    return capacity, answered_per_s(loading, LOADED_S), times


def in_process_us() -> float:
    """Return the microseconds of a whole answer of readiness and of all checks, the worse one."""
    declared = Declaration(service="bench", app="a:b")
    drain = Drain(delay_s=0, bound_s=20, clock=CLOCK, events=Listeners())
    drain.started = True
    board = Board(clock=CLOCK, cache_s=1.0)
    for check in builtin_checks(declared, {}):
        board.add(check)
    probes = Probes(path="/health", service="bench", version="dev", board=board, drain=drain)
    whole = probes.routes["/health"]
    probes.answer(whole)
    best_s = float("inf")
    for _ in range(5):
        begun_s = CLOCK.monotonic_s()
        for _ in range(2000):
            probes.answer(whole)
        best_s = min(best_s, (CLOCK.monotonic_s() - begun_s) / 2000)
    return best_s * 1e6


def told(kind: str, times: list[float]) -> bool:
    """Print what probes of one port took; return whether it is too long, where the edge asks."""
    p50, p99 = times[len(times) // 2], times[int(len(times) * 0.99)]
    short = kind == OWN_PORT and p99 >= MUST_MS
    print(
        f"  {kind:11} {len(times)} probes, p50 {p50:.1f} ms, p99 {p99:.1f} ms, "
        f"worst {times[-1]:.1f} ms{'  SHORT' if short else ''}",
        flush=True,
    )
    return short


def main() -> int:
    short = False
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "bench_health.py").write_text(APPS)
        for app in APPS_MEASURED:
            with served(folder, app) as (port, door):
                capacity, answered, kinds = under_overload(port, door)
            print(
                f"{app:13} capacity {capacity:.0f}/s; under {OVERLOAD} times that: "
                f"{answered:.0f}/s answered"
            )
            for kind, times in kinds.items():
                short = told(kind, sorted(times)) or short
    us = in_process_us()
    print(f"in process    {us:.0f} µs for an answer with every check in it")
    return int(short or us >= 1000)


if __name__ == "__main__":
    sys.exit(main())
