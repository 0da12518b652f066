"""Ten times what a service can do: ``python -m bench.overload [--seconds 60] [--json]``.

A real server (Granian, one process) with the whole wrapper around an app that has eight places for
40 ms each: it can answer 200 requests a second, and no more whatever is asked of it. Measured are
its figures alone, at its peak, under ten times that, right after, and the same without admission;
then what 10,000 slow clients cost. Run it on an idle machine; exits with 1 if a figure falls short.
"""

import argparse
import asyncio
import contextlib
import dataclasses
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import uvloop

from mainstay.control.load import LoadPlan, LoadReport, TargetReport, run_load, target
from mainstay.core.clock import SystemClock, pause

CLOCK = SystemClock()
READY_S = 60.0
PATIENCE_S = 1.0
"""Clients have gone after this; an answer that comes later is worth nothing."""

_SLOW = (
    b"GET /products HTTP/1.1\r\nHost: x\r\nX-Slow: ",
    b"POST /products HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n",
)
"""What slow clients send, before they send nothing more."""

APP = """
import asyncio
import os

from mainstay import Service
from mainstay.spec.declaration import Declaration
from mainstay.spec.inbound import Inbound
from mainstay.spec.shed import Priorities, Shed

PLACES, WORK_S = int(os.environ["PLACES"]), float(os.environ["WORK_S"])
START = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]}
BODY = {"type": "http.response.body", "body": b"ok"}
ranked = Shed(priorities=Priorities(critical=("/checkout",), low=("/reports",)))
shed = ranked if os.environ["SHED"] == "on" else None
inbound = Inbound(shed=shed, access_log=False)
service = Service(Declaration(service="subject", app="subject:app", inbound=inbound))
places = asyncio.Semaphore(PLACES)


@service.asgi
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    while (await receive()).get("more_body"):
        pass
    async with places:
        await asyncio.sleep(WORK_S)
    await send(START)
    await send(BODY)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a service can do, and for how long it is asked for how much.

    Attributes:
        places: Requests that it works on at once.
        work_s: What each takes.
        seconds: Of the overload; other phases take a part of it.
        factor: Of what it can do is offered.
    """

    places: int = 8
    work_s: float = 0.04
    seconds: float = 60.0
    factor: float = 10.0

    @property
    def per_s(self) -> float:
        """Requests a second that it can answer."""
        return self.places / self.work_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The figures; latencies of those that were answered.

    Attributes:
        peak_per_s: Most good answers a second, with a fifth more offered than it can do.
        good_per_s: The same under overload.
        collapsed_per_s: The same without admission.
        alone_p99_ms: Of critical requests, with a third of what it can do.
        critical_p99_ms: Of critical requests under overload.
        critical_share: Of the critical requests, so many were answered.
        probe_p99_ms: Of health probes under overload.
        probes_failed: Of those probes.
        failed_after: Of the requests of the next seconds, with half of what it can do.
        memory_before_mib: Resident, before the overload.
        memory_after_mib: The same after it.
        generator_lag_ms: How late requests were sent, 99 of 100: latencies include it.
    """

    peak_per_s: float
    good_per_s: float
    collapsed_per_s: float
    alone_p99_ms: float
    critical_p99_ms: float
    critical_share: float
    probe_p99_ms: float
    probes_failed: int
    failed_after: int
    memory_before_mib: float
    memory_after_mib: float
    generator_lag_ms: float


@contextlib.contextmanager
def served(load: Load, *, shed: bool) -> Iterator[tuple[int, psutil.Process]]:
    """Serve the app in a process of its own; yield its port and the process."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "subject.py").write_text(APP, "utf-8")
        port = _free_port()
        environ = {
            "PLACES": str(load.places), "WORK_S": str(load.work_s), "SHED": "on" if shed else "off",
        }  # fmt: skip
        argv = [sys.executable, "-m", "mainstay.service.inbound.serve"]
        argv += ["--app", "subject:app", "--port", str(port), "--drain", "1s"]
        # Not a pipe: whoever writes there must never wait for us.
        with Path(folder, "out").open("wb") as out:
            process = subprocess.Popen(
                argv, cwd=folder, env={**os.environ, **environ}, stdout=out, stderr=out
            )
        try:
            _wait_ready(port, process, Path(folder, "out"))
            yield port, psutil.Process(process.pid)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


async def offer(port: int, per_s: float, seconds: float, *, warmup_s: float = 0.0) -> LoadReport:
    """Send a mix of requests, and a probe now and then, whatever the answers do."""
    base = f"http://127.0.0.1:{port}"
    good = frozenset({200})
    targets = tuple(
        target(f"{base}{path}", name=name, weight=weight, expect=good)
        for name, path, weight in (
            ("critical", "/checkout", 3.0),
            ("medium", "/products", 86.0),
            ("low", "/reports", 10.0),
            ("probe", "/health/live", 1.0),
        )
    )
    plan = LoadPlan(
        targets=targets,
        rate_per_s=per_s,
        duration_s=seconds,
        warmup_s=warmup_s,
        arrivals="poisson",
        timeout_s=PATIENCE_S,
        max_in_flight=20_000,
    )
    return await run_load(plan)


async def measure(load: Load) -> Result:
    """Run all phases, one after the other."""
    part_s = max(3.0, load.seconds / 4)
    with served(load, shed=True) as (port, process):
        alone = await offer(port, load.per_s / 3, part_s)
        peak = await offer(port, load.per_s * 1.2, part_s)
        before = process.memory_info().rss
        overload = await offer(port, load.per_s * load.factor, load.seconds)
        after = process.memory_info().rss
        calm = await offer(port, load.per_s / 2, part_s)
    with served(load, shed=False) as (port, _):
        # Until the queue is as long as clients are patient.
        warmup_s = 2 * PATIENCE_S
        collapsed = await offer(port, load.per_s * load.factor, part_s, warmup_s=warmup_s)
    critical, probe = _target(overload, "critical"), _target(overload, "probe")
    return Result(
        peak_per_s=_answered_per_s(peak),
        good_per_s=_answered_per_s(overload),
        collapsed_per_s=_answered_per_s(collapsed),
        alone_p99_ms=_p99_ms(_target(alone, "critical")),
        critical_p99_ms=_p99_ms(critical),
        critical_share=1.0 - critical.failed / critical.requests,
        probe_p99_ms=_p99_ms(probe),
        probes_failed=probe.failed,
        failed_after=calm.failed,
        memory_before_mib=before / 2**20,
        memory_after_mib=after / 2**20,
        generator_lag_ms=overload.generator.lag_p99_ms,
    )


async def slow_clients(count: int) -> dict[str, float]:
    """Let so many clients be slow; say what that costs and how long a probe takes.

    Half of them never end the head of their request, half never its body. They come a thousand a
    second, and each comes again when it was turned away.
    """
    with served(Load(), shed=True) as (port, process):
        await offer(port, 50.0, 2.0)
        before = process.memory_info().rss
        clients = [
            asyncio.create_task(_slow_client(port, _SLOW[nth % 2], nth / 1000))
            for nth in range(count)
        ]
        peak, connected = before, 0
        probes = asyncio.create_task(offer_probes(port, count / 1000 + 15.0))
        while not probes.done():
            await asyncio.sleep(0.5)
            peak = max(peak, process.memory_info().rss)
            connected = max(connected, process.num_fds())
        report = await probes
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)
    return {
        "clients": count,
        "descriptors": connected,
        "memory_before_mib": before / 2**20,
        "memory_peak_mib": peak / 2**20,
        "probe_p99_ms": _p99_ms(report.total),
        "probes_failed": report.failed,
    }


async def offer_probes(port: int, seconds: float) -> LoadReport:
    """Ask after health, fifty times a second."""
    probe = target(f"http://127.0.0.1:{port}/health/live", expect=frozenset({200}))
    return await run_load(LoadPlan(targets=(probe,), rate_per_s=50.0, duration_s=seconds))


async def _slow_client(port: int, sent: bytes, after_s: float) -> None:
    await asyncio.sleep(after_s)
    while True:
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(sent)
                # It reads whatever comes, and stays until the other side has enough of it.
                while await reader.read(4096):
                    pass
            finally:
                writer.close()
        await asyncio.sleep(1.0)


def _target(report: LoadReport, name: str) -> TargetReport:
    return next(one for one in report.targets if one.name == name)


def _answered_per_s(report: LoadReport) -> float:
    """Return good answers of the app a second, the probe's not counted."""
    work = [one for one in report.targets if one.name != "probe"]
    return sum(one.requests - one.failed for one in work) / report.sending_s


def _p99_ms(one: TargetReport) -> float:
    return one.latency.p99_ms if one.latency is not None else float("inf")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    return port


def _wait_ready(port: int, process: "subprocess.Popen[bytes]", out: Path) -> None:
    until_s = CLOCK.monotonic_s() + READY_S
    while CLOCK.monotonic_s() < until_s:
        assert process.poll() is None, out.read_text("utf-8")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
            return
        pause(0.05)
    raise TimeoutError("the app isn't ready")


def rows(result: Result) -> list[tuple[str, str, str, bool]]:
    """Return (what, must be, measured, whether it is)."""
    goodput = result.good_per_s / result.peak_per_s
    slower = result.critical_p99_ms / result.alone_p99_ms
    grown = result.memory_after_mib - result.memory_before_mib
    collapsed = result.collapsed_per_s / result.peak_per_s
    return [
        ("goodput under 10 x, of the peak", ">= 90 %", f"{goodput:.1%}", goodput >= 0.9),
        ("p99 of admitted critical, of alone", "<= 3", f"{slower:.2f}", slower <= 3.0),
        ("critical requests answered", "", f"{result.critical_share:.1%}", True),
        ("health probe, p99", "< 20 ms", f"{result.probe_p99_ms:.1f} ms", result.probe_p99_ms < 20),
        ("health probes failed", "0", str(result.probes_failed), not result.probes_failed),
        ("failed right after", "0", str(result.failed_after), not result.failed_after),
        ("memory grown by", "< 32 MiB", f"{grown:.1f} MiB", grown < 32),
        ("goodput without admission", "< 20 %", f"{collapsed:.1%}", collapsed < 0.2),
    ]


def main() -> int:
    """Measure, print, and say by the exit code whether all is as it must be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--slow-clients", type=int, default=10_000)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    result = uvloop.run(measure(Load(seconds=given.seconds)))
    slow = uvloop.run(slow_clients(given.slow_clients)) if given.slow_clients else {}
    if given.json:
        print(json.dumps({**dataclasses.asdict(result), "slow_clients": slow}))
    else:
        for what, must_be, measured, is_fine in rows(result):
            print(f"{what:40} {must_be:10} {measured:12}{'' if is_fine else ' short'}")
        print(f"generator late by {result.generator_lag_ms:.1f} ms, p99; {result}")
        print(f"slow clients: {slow}")
    return 0 if all(is_fine for _, _, _, is_fine in rows(result)) else 1


if __name__ == "__main__":
    sys.exit(main())
