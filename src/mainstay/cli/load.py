"""`mainstay load`: load URLs at a constant rate and say how they stood it."""

import asyncio
import gc
import resource
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mainstay.cli.load_options import DURATION, PERCENT, RATE, targets_of
from mainstay.cli.parts import need
from mainstay.core.errors import LoadRefused

if TYPE_CHECKING:
    from mainstay.control.load import LoadPlan, LoadReport, Progress

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("urls", nargs=-1, metavar="[URL]...")
@click.option("-f", "--file", type=_FILE, help="A mix of requests: .yaml, .jsonl or plain lines.")
@click.option("-r", "--rate", type=RATE, default=50.0, help="Requests a second.  [default: 50/s]")
@click.option("-d", "--duration", type=DURATION, help="How long.  [default: 30s]")
@click.option("-n", "--requests", type=int, help="How many; with --duration, what ends first.")
@click.option("--warmup", type=DURATION, default=0.0, help="Sent before and not counted.")
@click.option(
    "--arrivals", type=click.Choice(["constant", "poisson"]), default="constant", show_default=True
)
@click.option("--seed", type=int, default=0, help="Of the mix and of Poisson arrivals.")
@click.option("-X", "--method", help="GET, or POST where there is data.")
@click.option("--data", help="The body; @FILE reads it from a file.")
@click.option("-H", "--header", "headers", multiple=True, help="'Name: value'; may be repeated.")
@click.option("--expect", help="Good statuses, such as 2xx,404.  [default: all but 5xx]")
@click.option("--timeout", type=DURATION, default=10.0, help="Of a request.  [default: 10s]")
@click.option(
    "--connect-timeout", type=DURATION, default=2.0, help="Of a connection.  [default: 2s]"
)
@click.option(
    "--max-in-flight", type=int, default=4096, show_default=True,
    help="Unanswered requests; one more is not sent, and failed.",
)  # fmt: skip
@click.option("--max-failed", type=click.IntRange(min=0), help="Exit 1 if more requests fail.")
@click.option("--baseline", type=_FILE, help="An earlier report; exit 1 on a regression.")
@click.option("--tolerance", type=PERCENT, default=0.2, help="No regression yet.  [default: 20%]")
@click.option(
    "--floor", type=DURATION, default=0.001, help="Latency that counts for nothing. [default: 1ms]"
)
@click.option("--save-baseline", type=_FILE, help="Write the report here if nothing regressed.")
@click.option("-o", "--output", type=_FILE, help="Write the report here as JSON.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
@click.option("--allow-remote", is_flag=True, help="The target may be another machine: yours.")
def command(urls: tuple[str, ...], **options: Any) -> int:  # Any: click's values, as declared.
    """Send requests to URL at a constant rate, whatever the answers do.

    Latency counts from when a request was due, so that a stall is not hidden. With --file, URL is
    the base of the paths in it.

    Exit codes: 0 fine; 1 a regression, more than --max-failed failures, or nothing but failures;
    2 wrong input; 130 interrupted.
    """
    need("load", "hdrh", "httptools")
    from mainstay.cli.load_progress import progress_on
    from mainstay.cli.load_verdict import Verdict
    from mainstay.cli.outcome import outputs
    from mainstay.cli.outcome import report as report_error

    try:
        verdict = Verdict.of(options)
        plan = _plan(urls, options)
        progress = progress_on(outputs()[1], quiet=options["quiet"])
        try:
            report = _run(plan, progress.show if progress else None)
        finally:
            if progress:
                progress.end()
    except LoadRefused as error:
        # Wrong input: nothing was sent.
        report_error(error, as_json=options["as_json"])
        return 2
    return verdict.tell(report)


def _plan(urls: tuple[str, ...], options: dict[str, Any]) -> "LoadPlan":
    from mainstay.control.load import LoadPlan

    targets = targets_of(
        urls,
        file=options["file"],
        method=options["method"],
        data=options["data"],
        headers=options["headers"],
        expect=options["expect"],
    )
    duration_s = options["duration"]
    if duration_s is None and options["requests"] is None:
        duration_s = 30.0
    plan = LoadPlan(
        targets=targets,
        rate_per_s=options["rate"],
        duration_s=duration_s,
        requests=options["requests"],
        warmup_s=options["warmup"],
        arrivals=options["arrivals"],
        seed=options["seed"],
        timeout_s=options["timeout"],
        connect_timeout_s=options["connect_timeout"],
        max_in_flight=options["max_in_flight"],
        allow_remote=options["allow_remote"],
    )
    plan.check()
    return plan


def _run(plan: "LoadPlan", on_progress: "Callable[[Progress], None] | None") -> "LoadReport":
    from mainstay.control.load import run_load

    async def interruptible() -> "LoadReport":
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        return await run_load(plan, on_progress=on_progress, stop=stop)

    _allow_open_files(plan.max_in_flight)
    # What is alive now lives to the end: the collector need not look at it during the test.
    gc.collect()
    gc.freeze()
    with asyncio.Runner(loop_factory=_fastest_loop()) as runner:
        return runner.run(interruptible())


def _fastest_loop() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def _allow_open_files(connections: int) -> None:
    from mainstay.control.load.run import DESCRIPTORS_RESERVED

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + DESCRIPTORS_RESERVED
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    bound = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (bound, hard))
    except (OSError, ValueError):
        # macOS has bounds of its own; the report says how many connections were left.
        return
