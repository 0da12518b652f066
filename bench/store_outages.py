"""A rate limit whose Valkey hangs, dies and comes back: ``python -m bench.store_outages``.

A real server (Granian, one process) with a limit in a real Valkey is asked 300 times a second,
while Valkey is stopped, let go on, killed and started again. Measured are the requests that failed,
and how long any of them waited for the store, beside the same without trouble. Exits with 1 if a
request failed. Waits hold what the machine does to this process: run it where nothing else runs.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.contract.stores.servers import Valkey
from tests.ports import free_port

from mainstay.control.load import LoadPlan, LoadReport, run_load, target
from mainstay.core.clock import SYSTEM_CLOCK, pause

READY_S = 60.0
RATE_PER_S = 300.0
BOUND_MS = 50.0

APP = """
import json
import os

from mainstay.core.clock import SYSTEM_CLOCK
from mainstay.core.errors import StoreUnavailable
from mainstay.process import Service
from mainstay.spec.declaration import Declaration
from mainstay.spec.dependency import Dependency
from mainstay.spec.inbound import Inbound
from mainstay.spec.kinds.units import quota
from mainstay.spec.ratelimit import RateLimit
from mainstay.state.limits import ValkeyLimits
from mainstay.state.valkey import Valkey


class Timed:
    def __init__(self, store):
        self.store, self.waits_ms, self.away = store, [], 0

    async def atake(self, asks):
        began_s = SYSTEM_CLOCK.monotonic_s()
        try:
            return await self.store.atake(asks)
        except StoreUnavailable:
            self.away += 1
            raise
        finally:
            self.waits_ms.append((SYSTEM_CLOCK.monotonic_s() - began_s) * 1000)


class Stores:
    def limits(self, url):
        return timed

    def close(self):
        pass


timed = Timed(ValkeyLimits(Valkey(os.environ["STORE_URL"]), prefix="subject"))
limit = RateLimit(rate=quota("1000000/s"), store="cache", routes=("/work",))
cache = Dependency(url=os.environ["STORE_URL"], criticality="optional")
declaration = Declaration(
    service="subject",
    app="subject:app",
    dependencies=(("cache", cache),),
    inbound=Inbound(rate_limit=(limit,), access_log=False),
)
service = Service(declaration, stores=Stores())


@service.asgi
async def app(scope, receive, send):
    body = b"ok"
    if scope["path"] == "/waits":
        body = json.dumps({"waits_ms": timed.waits_ms, "away": timed.away}).encode()
        timed.waits_ms, timed.away = [], 0
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": body})
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of the requests of one run.

    Attributes:
        requests: How many there were.
        failed: How many of them failed, for whatever reason.
        away: How many found the store away.
        wait_p99_ms: How long 99 of 100 were with the store.
        wait_max_ms: How long the one was that was there longest.
        late: How many were there for longer than the bound and a tenth.
    """

    requests: int
    failed: int
    away: int
    wait_p99_ms: float
    wait_max_ms: float
    late: int


def ask(port: int, path: str) -> bytes:
    """Return what the app answers."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
        body: bytes = answer.read()
    return body


def wait_ready(port: int, process: "subprocess.Popen[bytes]") -> None:
    """Wait until the app answers."""
    last_s = SYSTEM_CLOCK.monotonic_s() + READY_S
    while True:
        try:
            ask(port, "/health/ready")
        except OSError:
            if process.poll() is not None or SYSTEM_CLOCK.monotonic_s() > last_s:
                raise
            pause(0.05)
        else:
            return


def offer(port: int, seconds: float) -> LoadReport:
    """Ask for work, whatever the answers do."""
    work = target(f"http://127.0.0.1:{port}/work", expect=frozenset({200}))
    plan = LoadPlan(targets=(work,), rate_per_s=RATE_PER_S, duration_s=seconds)
    return asyncio.run(run_load(plan))


def measure(port: int, seconds: float, trouble: Callable[[], None]) -> Result:
    """Offer load while something happens to the store."""
    ask(port, "/waits")
    making = threading.Thread(target=trouble)
    making.start()
    report = offer(port, seconds)
    making.join()
    told = json.loads(ask(port, "/waits"))
    waits_ms = sorted(told["waits_ms"])
    return Result(
        requests=report.total.requests,
        failed=report.total.failed,
        away=told["away"],
        wait_p99_ms=waits_ms[len(waits_ms) * 99 // 100],
        wait_max_ms=waits_ms[-1],
        late=sum(one > 1.1 * BOUND_MS for one in waits_ms),
    )


def troubles(store: Valkey, seconds: float) -> dict[str, Callable[[], None]]:
    """Return what happens to the store, each within the first two thirds of the run."""

    def between(begin: Callable[[], None], end: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            pause(seconds / 3)
            begin()
            pause(seconds / 3)
            end()

        return run

    def again_and_again() -> None:
        for _ in range(3):
            pause(seconds / 6)
            store.restart()

    return {
        "nothing": lambda: None,
        "hangs (SIGSTOP), and goes on": between(store.pause, store.resume),
        "killed, and started": between(store.kill, store.start),
        "restarted three times": again_and_again,
    }


def main() -> int:
    """Measure and print; return 1 if a request failed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=15.0, help="of each run (%(default)s)")
    seconds = parser.parse_args().seconds
    store, port = Valkey(), free_port()
    results: dict[str, Result] = {}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "subject.py").write_text(APP, "utf-8")
        store.start()
        argv = [sys.executable, "-m", "mainstay.service.inbound.serve", "--app", "subject:app"]
        process = subprocess.Popen(
            [*argv, "--port", str(port), "--drain", "1s"],
            cwd=folder,
            env={"PATH": "", "STORE_URL": store.url},
            stdout=subprocess.DEVNULL,
        )
        with process:
            try:
                wait_ready(port, process)
                for name, trouble in troubles(store, seconds).items():
                    results[name] = measure(port, seconds, trouble)
            finally:
                process.kill()
                store.close()
    print(f"{'the store':32} {'requests':>8} {'failed':>6} {'away':>6} {'p99':>8} {'max':>8} late")
    for name, one in results.items():
        print(
            f"{name:32} {one.requests:8,} {one.failed:6,} {one.away:6,} "
            f"{one.wait_p99_ms:5.1f} ms {one.wait_max_ms:5.1f} ms {one.late:4}"
        )
    return int(any(one.failed for one in results.values()))


if __name__ == "__main__":
    sys.exit(main())
