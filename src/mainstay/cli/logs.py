"""`mainstay logs [NAME...]`."""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final, TextIO

import click

from mainstay.cli import place
from mainstay.cli.edge_lines import masked
from mainstay.cli.log_text import LogText
from mainstay.cli.outcome import outputs
from mainstay.control.logs.entry import LEVELS, Entry, time_of
from mainstay.control.logs.follower import log_files
from mainstay.control.logs.stream import Stream
from mainstay.control.logs.wanted import EDGE, Wanted
from mainstay.core.clock import SYSTEM_CLOCK, pause
from mainstay.core.errors import EngineRefused
from mainstay.spec.kinds.units import UnitError, duration_s
from mainstay.telemetry.masking import Masker

LOOK_S: Final = 0.2
"""Between two looks while following."""

LINES: Final = 50
LINES_MAX: Final = 100_000


@click.command()
@click.argument(
    "names", nargs=-1, metavar="[SERVICE|REPLICA]...", shell_complete=place.known_services
)
@click.option(
    "--service",
    "services",
    multiple=True,
    metavar="NAME",
    help="As SERVICE; repeatable.",
    shell_complete=place.known_services,
)
@click.option("--follow", "-f", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@click.option("--level", type=click.Choice(LEVELS, case_sensitive=False), help="At least this one.")
@click.option(
    "--trace",
    metavar="ID",
    help="Of one request: its trace id, the first digits, or its request id.",
)
@click.option("--grep", metavar="REGEX", help="Lines in which this is found.")
@click.option("--since", metavar="TIME", help="Not older: 10m, 2h, 2026-01-31T12:00 (UTC).")
@click.option(
    "--lines",
    "-n",
    type=click.IntRange(0, LINES_MAX),
    help=f"Last lines of each log to begin with: {LINES}, or all with --since or --trace.",
)
@place.path_option
@place.json_option
def command(
    *,
    names: tuple[str, ...],
    services: tuple[str, ...],
    level: str | None,
    trace: str | None,
    grep: str | None,
    since: str | None,
    lines: int | None,
    path: Path | None,
    follow: bool,
    as_json: bool,
) -> None:
    """Show what replicas wrote, by its time, and `edge` for the proxy's access log.

    With services named beside it, `edge` shows the requests of those alone. In a pipe each line is
    the same text without colours and with its whole time. With --json every line is an object whose
    `log` says who wrote it: a replica, or `edge`. Beside that it is what was written, if that is an
    object, and else has it as `message`.
    """
    asked = (*names, *services)
    wanted = Wanted(
        level=level.lower() if level is not None else None,
        trace=trace,
        pattern=pattern_of(grep) if grep is not None else None,
        since_s=since_of(since, SYSTEM_CLOCK.wall_s()) if since is not None else None,
        services=about(asked),
    )
    folder = place.running_state(path) / "logs"
    stream = Stream(folder=folder, names=asked, wanted=wanted)
    if asked and not any(log_files(folder, asked)):
        known = ", ".join(file.stem for file in log_files(folder, ())) or "none yet"
        raise EngineRefused(f"no logs of {', '.join(asked)}; there are {known}")
    if lines is None:
        lines = LINES_MAX if since is not None or trace is not None else LINES
    show = showing(as_json=as_json)
    try:
        show(stream.begin(lines))
        if stream.cut:
            click.echo("note: a log is too long: there may be older lines than are shown", err=True)
        while follow:
            if not stream.behind:
                pause(LOOK_S)
            show(stream.more(SYSTEM_CLOCK.wall_s()))
    except KeyboardInterrupt:
        return
    finally:
        stream.close()


def pattern_of(text: str) -> re.Pattern[str]:
    """Return a regular expression. Raises BadParameter for what is none."""
    try:
        return re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        said = f"{text!r} is no regular expression: {error}"
        raise click.BadParameter(said, param_hint="'--grep'") from error


def since_of(text: str, now_s: float) -> float:
    """Return when a time was, or what is so long ago. Raises BadParameter for what is neither."""
    try:
        return now_s - duration_s(text)
    except UnitError as error:
        at_s = time_of(text)
        if at_s is None:
            said = f"{text!r} is neither a duration (10m) nor a time (2026-01-31T12:00)"
            raise click.BadParameter(said, param_hint="'--since'") from error
        return at_s


def about(asked: Iterable[str]) -> frozenset[str]:
    """Return the services whose requests are wanted of the proxy's log: those named beside it."""
    others = frozenset(asked) - {EDGE}
    # A replica stands for its service: the proxy knows replicas by their addresses.
    return others | {name.rpartition("-")[0] for name in others} - {""}


def showing(*, as_json: bool) -> Callable[[Sequence[Entry]], None]:
    """Return what prints entries."""
    stdout, _ = outputs()
    on_terminal = stdout is not None and stdout.isatty()
    text, masker = LogText(brief=on_terminal), Masker()

    def show(entries: Sequence[Entry]) -> None:
        text.widen(entries)
        for entry in (masked(one, masker) for one in entries):
            if as_json:
                click.echo(json_text(entry))
            else:
                for line in text.lines(entry):
                    click.echo(writable(line, stdout))

    return show


def writable(line: str, stdout: TextIO | None) -> str:
    """Return a line with escapes for what the stream's encoding has no bytes for."""
    encoding = getattr(stdout, "encoding", None) or "utf-8"
    return line.encode(encoding, "backslashreplace").decode(encoding)


def json_text(entry: Entry) -> str:
    """Return a line as JSON; one with a number that JSON has no word for (NaN) as a text."""
    try:
        return json.dumps(as_object(entry), allow_nan=False)
    except ValueError:
        return json.dumps({"log": entry.replica, "message": entry.text})


def as_object(entry: Entry) -> dict[str, object]:
    """Return a line as an object that also says whose log it is of; nothing written is lost."""
    written = entry.fields
    if written is None or "log" in written:
        written = {"message": entry.text}
    return {"log": entry.replica, **written}
