"""`make demo`: the shop behind Envoy, under load; a replica is killed, a service restarted.

Everything goes through the public command line and the control socket; nothing here knows how it
works. The figures go to `.mainstay/demo.json`; the exit code is 1 if any request failed.
"""

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import uvloop
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from mainstay.cli.drawing import status_view
from mainstay.control.api.client import call
from mainstay.control.load import LoadPlan, LoadReport, Progress, run_load
from mainstay.control.load.requests_file import read_requests
from mainstay.core.clock import SystemClock
from mainstay.core.sockets import find_socket

SHOP = Path(__file__).resolve().parent / "shop"
SOCKET = find_socket(SHOP / ".mainstay", "control.sock")
RESULT = Path(".mainstay/demo.json")
URL = "http://127.0.0.1:8080"

RATE_PER_S = 300.0
DURATION_S = 30.0
KILL_AT = 1 / 3
RESTART_AT = 3 / 5
VICTIM = "catalog"
LOOK_S = 0.02

CLOCK = SystemClock()


@dataclass(kw_only=True)
class Story:
    """What the demo did and saw; the public fields of it become `demo.json`."""

    killed: str = ""
    killed_pid: int = 0
    replaced_s: float | None = None
    restarted: int = 0
    restart_failed: int = 0


class Demo:
    """Tells the story while the load runs."""

    def __init__(self, *, rate_per_s: float, duration_s: float) -> None:
        self.rate_per_s = rate_per_s
        self.duration_s = duration_s
        self.story = Story()
        self.progress: Progress | None = None
        self.news: list[str] = []
        self.began_s = CLOCK.monotonic_s()

    async def run(self) -> LoadReport:
        """Load the shop, kill a replica, restart a service; return what the load saw."""
        targets = read_requests(SHOP / "requests.yaml", base=URL)
        plan = LoadPlan(targets=targets, rate_per_s=self.rate_per_s, duration_s=self.duration_s)
        self.began_s = CLOCK.monotonic_s()
        view = asyncio.create_task(self.show())
        story = asyncio.create_task(self.tell())
        report = await run_load(plan, on_progress=self.hear)
        await story
        view.cancel()
        await asyncio.gather(view, return_exceptions=True)
        return report

    def hear(self, progress: Progress) -> None:
        """Keep the load's latest figures."""
        self.progress = progress

    async def tell(self) -> None:
        """Do what the demo is about, on time."""
        await self.until(self.duration_s * KILL_AT)
        await self.kill_one()
        await self.until(self.duration_s * RESTART_AT)
        await self.restart_all()

    async def until(self, at_s: float) -> None:
        """Wait for a moment of the load."""
        await asyncio.sleep(max(0.0, self.began_s + at_s - CLOCK.monotonic_s()))

    async def kill_one(self) -> None:
        """Kill a replica with -9 and wait until another one in its place takes traffic."""
        before = replicas_of(await status(), VICTIM)
        victim = before[len(before) // 2]
        known = {one["pid"] for one in before}
        os.kill(victim["pid"], signal.SIGKILL)
        killed_s = CLOCK.monotonic_s()
        self.story.killed, self.story.killed_pid = victim["name"], victim["pid"]
        self.say(f"killed {victim['name']} (pid {victim['pid']}) with SIGKILL")
        while True:
            fresh = [
                one
                for one in replicas_of(await status(), VICTIM)
                if one["pid"] not in known and one["requests"] > 0
            ]
            if fresh:
                break
            await asyncio.sleep(LOOK_S)
        self.story.replaced_s = round(CLOCK.monotonic_s() - killed_s, 3)
        self.say(f"{fresh[0]['name']} took its place after {self.story.replaced_s:.2f} s")

    async def restart_all(self) -> None:
        """Replace every replica of a service, one by one."""
        before = {one["pid"] for one in replicas_of(await status(), VICTIM)}
        failed_before = self.failed()
        self.say(f"restarting {VICTIM}, one replica after the other")
        await asyncio.to_thread(call, SOCKET, "restart", service=VICTIM, timeout_s=60.0)
        after = {one["pid"] for one in replicas_of(await status(), VICTIM)}
        self.story.restarted = len(before - after)
        self.story.restart_failed = self.failed() - failed_before
        self.say(f"{self.story.restarted} replicas of {VICTIM} were replaced")

    def failed(self) -> int:
        """Return how many requests have failed so far."""
        return self.progress.failed if self.progress is not None else 0

    def say(self, line: str) -> None:
        """Add a line to the story."""
        self.news.append(f"{CLOCK.monotonic_s() - self.began_s:5.1f} s  {line}")

    async def show(self) -> None:
        """Draw the live view, or print the story's lines where nobody watches a terminal."""
        console = Console(highlight=False)
        if not console.is_terminal:
            told = 0
            while True:
                for line in self.news[told:]:
                    console.print(f"  {line}", soft_wrap=True)
                told = len(self.news)
                await asyncio.sleep(0.2)
        with Live(console=console, refresh_per_second=4, transient=True) as live:
            while True:
                live.update(Group(self.headline(), status_view(await status()), *self.lines()))
                await asyncio.sleep(1.0)

    def headline(self) -> Text:
        """Return the load's line of the live view."""
        if self.progress is None:
            return Text("load begins")
        colour = "red" if self.progress.failed else "green"
        return Text.assemble(
            ("load ", "bold"),
            f"{self.progress.elapsed_s:4.0f} s of {self.progress.planned_s:.0f} s   "
            f"{self.progress.requests:,} requests   ",
            (f"{self.progress.failed} failed", colour),
        )

    def lines(self) -> list[Text]:
        """Return the story so far."""
        return [Text(line, style="cyan") for line in self.news]


async def status() -> dict[str, Any]:
    """Return the daemon's status. Any: the values of JSON."""
    return await asyncio.to_thread(call, SOCKET, "status")


def replicas_of(seen: dict[str, Any], service: str) -> list[dict[str, Any]]:
    """Return the replicas of a service out of a status."""
    (found,) = (one for one in seen["services"] if one["name"] == service)
    replicas: list[dict[str, Any]] = found["replicas"]
    return replicas


def mainstay(*words: str) -> int:
    """Run the command line as a user would; return its exit code."""
    return subprocess.run([sys.executable, "-m", "mainstay", *words], check=False).returncode  # noqa: S603


def closing(report: LoadReport, story: Story, up_s: float) -> Table:
    """Return the table that ends the demo."""
    latency = report.total.latency
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name, value in (
        ("up until all replicas were ready", f"{up_s:.2f} s"),
        ("requests", f"{report.total.requests:,} at {report.asked_per_s:.0f}/s"),
        ("failed", str(report.total.failed)),
        ("latency p50 / p99 / max", latency_text(latency)),
        ("killed", f"{story.killed} (pid {story.killed_pid})"),
        ("replaced and taking traffic after", f"{story.replaced_s} s"),
        ("replicas restarted", str(story.restarted)),
        ("requests failed meanwhile", str(story.restart_failed)),
    ):
        table.add_row(name, Text(value, style="bold"))
    return table


def latency_text(latency: Any) -> str:
    """Return three percentiles. Any: Figures, or None where nothing was measured."""
    if latency is None:
        return "-"
    return f"{latency.p50_ms:.1f} / {latency.p99_ms:.1f} / {latency.max_ms:.1f} ms"


def write_result(report: LoadReport, story: Story) -> None:
    """Write what the demo measured."""
    latency = report.total.latency
    RESULT.parent.mkdir(mode=0o700, exist_ok=True)
    figures = {
        "requests": report.total.requests,
        "failed": report.total.failed,
        "p50_ms": latency.p50_ms if latency else None,
        "p99_ms": latency.p99_ms if latency else None,
        **asdict(story),
    }
    RESULT.write_text(json.dumps(figures, indent=2) + "\n")


def main() -> int:
    """Run the demo; return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=RATE_PER_S, help="requests a second")
    parser.add_argument("--seconds", type=float, default=DURATION_S, help="how long the load is")
    asked = parser.parse_args()
    console = Console(highlight=False)
    console.print("[bold]mainstay up -d examples/shop[/bold]")
    began_s = CLOCK.monotonic_s()
    if code := mainstay("up", "-d", str(SHOP)):
        mainstay("down", str(SHOP))
        return code
    up_s = CLOCK.monotonic_s() - began_s
    console.print(f"\n[bold]{asked.rate:.0f} requests/s for {asked.seconds:.0f} s at {URL}[/bold]")
    demo = Demo(rate_per_s=asked.rate, duration_s=asked.seconds)
    try:
        report = uvloop.run(demo.run())
    finally:
        console.print("\n[bold]mainstay down examples/shop[/bold]")
        mainstay("down", str(SHOP))
    write_result(report, demo.story)
    console.print(closing(report, demo.story, up_s))
    if report.total.failed:
        console.print(f"[red]failed: {dict(report.total.kinds)}, {dict(report.examples)}[/red]")
    console.print(f"figures: {RESULT}")
    console.print("where the time went: mainstay trace --slowest -C examples/shop")
    return 1 if report.total.failed or demo.story.restart_failed else 0


if __name__ == "__main__":
    sys.exit(main())
