"""The figures of a running system: `python -m bench.up [--json]`, about two minutes.

Run it on an idle machine. Everything is measured from outside, on the shop of examples/ and on a
small app: by the command line, by the control socket, by requests, by kill.
"""

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import psutil
import uvloop

from mainstay.control.api.client import call
from mainstay.control.load import LoadPlan, LoadReport, run_load, target
from mainstay.core.clock import SystemClock, pause
from mainstay.core.sockets import short_socket_path

CLOCK = SystemClock()
EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
RATE_PER_S = 300.0

APP = """
import os
from mainstay import Service

service = Service.load()


async def answer(scope, receive, send):
    if scope["type"] == "http":
        body = os.environ["MAINSTAY_REPLICA"].encode()
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


app = service.asgi(answer)
"""

Row = dict[str, Any]  # Any: the values of JSON.


class Bench:
    """A system in a folder of its own, and what was measured of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        (folder / "web.py").write_text(APP)
        self.declare("1.0.0", "{}")

    def declare(self, version: str, weights: str) -> None:
        """Write the declaration."""
        (self.folder / "mainstay.yaml").write_text(
            textwrap.dedent(f"""
                service: web
                version: {version}
                app: web:app
                run: {{replicas: 3}}
                edge: {{port: {self.port}, weights: {weights}}}
            """)
        )

    def pushes_ms(self) -> list[float]:
        """Return how long the pushes took that changed something, from the daemon's log."""
        lines = (self.folder / ".mainstay/daemon.log").read_text().splitlines()
        events = [json.loads(line) for line in lines]
        return [
            event["duration_s"] * 1000
            for event in events
            if event["event"] == "EdgePushed" and event["files"]
        ]

    def mainstay(self, *words: str, cwd: Path | None = None) -> str:
        """Run the command line; return its stdout."""
        done = subprocess.run(
            [sys.executable, "-m", "mainstay", *words],
            cwd=cwd or self.folder,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout

    def status(self) -> Row:
        """Ask the daemon."""
        return call(short_socket_path(self.folder / ".mainstay", "control.sock"), "status")

    def pids(self) -> list[int]:
        """Return the pids of the replicas."""
        return [one["pid"] for one in self.status()["services"][0]["replicas"]]

    async def under_load(
        self, act: Callable[[], Awaitable[object]], *, method: str = "GET"
    ) -> LoadReport:
        """Load at the rate of the figures while ``act`` runs, a second more on either side."""
        stop = asyncio.Event()
        plan = LoadPlan(
            targets=(target(self.url, method=method),), rate_per_s=RATE_PER_S, duration_s=120
        )
        load = asyncio.create_task(run_load(plan, stop=stop))
        await asyncio.sleep(1)
        await act()
        await asyncio.sleep(1)
        stop.set()
        return await load

    async def kill_one(self) -> float:
        """Kill a replica; return the seconds until another one takes traffic in its place."""
        before = await asyncio.to_thread(self.pids)
        os.kill(before[1], signal.SIGKILL)
        began_s = CLOCK.monotonic_s()
        while True:
            replicas = (await asyncio.to_thread(self.status))["services"][0]["replicas"]
            if any(one["pid"] not in before and one["requests"] > 0 for one in replicas):
                return CLOCK.monotonic_s() - began_s
            await asyncio.sleep(0.01)


def row(what: str, must: str, value: Any, *, ok: bool | None) -> Row:
    """Return one line of the result. Any: a number or a text."""
    return {"what": what, "must": must, "value": value, "ok": ok}


def failed(report: LoadReport) -> int:
    """Return how many requests of a load failed."""
    return report.total.failed


async def kills(bench: Bench) -> list[Row]:
    """Kill a replica under GET and under POST."""
    rows, took_s = [], []
    for method, most in (("GET", 0), ("POST", 2)):

        async def act() -> None:
            took_s.append(await bench.kill_one())

        report = await bench.under_load(act, method=method)
        rows.append(
            row(
                f"kill -9 of one of three replicas at 300/s, {method}",
                "0 failed" if method == "GET" else "at most those it had begun",
                f"{failed(report)} of {report.total.requests} failed",
                ok=failed(report) <= most,
            )
        )
    import_s = import_time_s(bench.folder)
    worst_s = max(took_s)
    rows.append(
        row(
            "replaced and taking traffic",
            f"< 3 s + {import_s:.2f} s of import",
            f"{worst_s:.2f} s",
            ok=worst_s < 3 + import_s,
        )
    )
    return rows


def import_time_s(folder: Path) -> float:
    """Return how long the app takes to import in a bare interpreter."""
    began_s = CLOCK.monotonic_s()
    subprocess.run([sys.executable, "-c", "import web"], cwd=folder, check=True)
    return CLOCK.monotonic_s() - began_s


async def changes(bench: Bench) -> list[Row]:
    """Restart, scale, kill the daemon, under load."""

    async def restart() -> None:
        await asyncio.to_thread(bench.mainstay, "restart", "web")

    async def scale() -> None:
        await asyncio.to_thread(bench.mainstay, "scale", "web", "6")
        await asyncio.to_thread(bench.mainstay, "scale", "web", "2")
        await asyncio.to_thread(bench.mainstay, "scale", "web", "3")

    async def kill_daemon() -> None:
        os.kill(bench.status()["daemon"]["pid"], signal.SIGKILL)
        await asyncio.sleep(1)
        await asyncio.to_thread(bench.mainstay, "up", "-d")

    rows = []
    for what, act in (
        ("rolling restart", restart),
        ("scale 3, 6, 2, 3", scale),
        ("daemon killed and started again", kill_daemon),
    ):
        report = await bench.under_load(act)
        value = f"{failed(report)} of {report.total.requests} failed"
        rows.append(row(f"{what} at 300/s", "0 failed", value, ok=failed(report) == 0))
    return rows


async def proxy_death(bench: Bench) -> list[Row]:
    """Kill Envoy; return the time until the edge answers again, the median of five."""
    took_s = []
    for _ in range(5):
        os.kill(bench.status()["proxy"]["pid"], signal.SIGKILL)
        began_s = CLOCK.monotonic_s()
        while not answers(bench.port):
            await asyncio.sleep(0.002)
        took_s.append(CLOCK.monotonic_s() - began_s)
        # Longer than what counts as a stable life, so that each death is the first in a row.
        await asyncio.sleep(11)
    worst_s = max(took_s)
    return [
        row(
            "Envoy killed, until it answers again (worst of 5)",
            "< 1 s",
            f"{worst_s:.3f} s (median {statistics.median(took_s):.3f} s)",
            ok=worst_s < 1,
        )
    ]


def answers(port: int) -> bool:
    """Return whether a GET is answered with 200 right now."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as client:
        client.settimeout(1)
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return client.recv(64).startswith(b"HTTP/1.1 200")
    return False


def pushes(bench: Bench) -> list[Row]:
    """Read how long the pushes of all that came before took, and those of ten new weights."""
    rows = [changed("endpoint", bench.pushes_ms())]
    bench.declare("2.0.0", "{1.0.0: 100, 2.0.0: 0}")
    bench.mainstay("up", "-d")
    before = len(bench.pushes_ms())
    for share in range(10):
        bench.declare("2.0.0", f"{{1.0.0: {90 - share}, 2.0.0: {10 + share}}}")
        bench.mainstay("up", "-d")
    rows.append(changed("weight", bench.pushes_ms()[before:]))
    bench.declare("2.0.0", "{}")
    bench.mainstay("up", "-d")
    return rows


def changed(what: str, took_ms: list[float]) -> Row:
    """Return the row for changes of one kind."""
    worst_ms = max(took_ms)
    return row(
        f"{what} change to traffic (worst of {len(took_ms)})",
        "< 50 ms",
        f"{worst_ms:.1f} ms (median {statistics.median(took_ms):.1f} ms)",
        ok=worst_ms < 50,
    )


def idle(bench: Bench) -> list[Row]:
    """Look at the daemon for twenty seconds in which nothing happens."""
    daemon = psutil.Process(bench.status()["daemon"]["pid"])
    before = sum(daemon.cpu_times()[:2])
    pause(20)
    share = (sum(daemon.cpu_times()[:2]) - before) / 20
    memory = daemon.memory_info().rss / 2**20
    return [
        row("daemon when idle, CPU", "< 1 % of a core", f"{share:.2%}", ok=share < 0.01),
        row("daemon when idle, memory", "< 80 MB", f"{memory:.0f} MB", ok=memory < 80),
    ]


async def overhead(bench: Bench) -> list[Row]:
    """Load one replica directly and through the edge, alternating."""
    bench.mainstay("scale", "web", "1")
    port = bench.status()["services"][0]["replicas"][0]["port"]
    urls = {"direct": f"http://127.0.0.1:{port}/", "edge": bench.url}
    p50: dict[str, list[float]] = {name: [] for name in urls}
    p99: dict[str, list[float]] = {name: [] for name in urls}
    top: dict[str, list[float]] = {name: [] for name in urls}
    for _ in range(3):
        for name, url in urls.items():
            steady = await run_load(
                LoadPlan(targets=(target(url),), rate_per_s=500, duration_s=4, warmup_s=1)
            )
            assert steady.total.latency is not None
            p50[name].append(steady.total.latency.p50_ms)
            p99[name].append(steady.total.latency.p99_ms)
            full = await run_load(
                LoadPlan(targets=(target(url),), rate_per_s=60_000, duration_s=3, max_in_flight=32)
            )
            good = full.total.requests - full.total.failed
            top[name].append(good / full.duration_s)
    bench.mainstay("scale", "web", "3")

    def text(figures: dict[str, list[float]], unit: str) -> str:
        direct, edge = (statistics.median(figures[name]) for name in ("direct", "edge"))
        return f"{direct:,.2f} {unit} direct, {edge:,.2f} {unit} through it ({edge / direct:.2f} x)"

    return [
        row("edge, p50 at 500/s", "reported", text(p50, "ms"), ok=None),
        row("edge, p99 at 500/s", "reported", text(p99, "ms"), ok=None),
        row("edge, requests/s with 32 in flight", "reported", text(top, "/s"), ok=None),
    ]


def shop(bench: Bench, folder: Path) -> list[Row]:
    """Start the shop five times."""
    shutil.copytree(EXAMPLES, folder, ignore=shutil.ignore_patterns(".mainstay", "data"))
    took_s = []
    for _ in range(5):
        began_s = CLOCK.monotonic_s()
        bench.mainstay("up", "-d", cwd=folder / "shop")
        took_s.append(CLOCK.monotonic_s() - began_s)
        bench.mainstay("down", cwd=folder / "shop")
    worst_s = max(took_s)
    return [
        row(
            "up until all ten replicas of the shop are ready (worst of 5)",
            "< 5 s",
            f"{worst_s:.2f} s (median {statistics.median(took_s):.2f} s)",
            ok=worst_s < 5,
        )
    ]


def imports() -> list[Row]:
    """Compare `import mainstay` with a bare interpreter."""

    def run_s(code: str) -> float:
        began_s = CLOCK.monotonic_s()
        subprocess.run([sys.executable, "-c", code], check=True)
        return CLOCK.monotonic_s() - began_s

    rounds = [(run_s("pass"), run_s("import mainstay")) for _ in range(20)]
    added_ms = statistics.median(full - bare for bare, full in rounds) * 1000
    return [
        row("import mainstay, over bare Python", "< 60 ms", f"{added_ms:.1f} ms", ok=added_ms < 60)
    ]


def measure() -> list[Row]:
    """Measure everything, one after the other."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "web").mkdir()
        bench = Bench(folder / "web")
        rows = imports() + shop(bench, folder / "examples")
        try:
            bench.mainstay("up", "-d")
            rows += uvloop.run(kills(bench))
            rows += uvloop.run(changes(bench))
            rows += pushes(bench)
            rows += uvloop.run(overhead(bench))
            rows += idle(bench)
            rows += uvloop.run(proxy_death(bench))
        finally:
            bench.mainstay("down")
        return rows


def main() -> int:
    """Print the rows; exit with 1 if one falls short."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    as_json = parser.parse_args().json
    rows = measure()
    if as_json:
        print(json.dumps(rows, indent=2))
    else:
        for one in rows:
            mark = {True: "ok  ", False: "SHORT", None: "    "}[one["ok"]]
            print(f"{mark} {one['what']}: {one['value']}   (must: {one['must']})")
    return 1 if any(one["ok"] is False for one in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
