"""`mainstay logs [NAME...]`."""

import json
from pathlib import Path

import click

from mainstay.cli import place
from mainstay.cli.follow import Follower, Line, log_files
from mainstay.core.clock import pause
from mainstay.core.errors import EngineRefused

LOOK_S = 0.2
"""Between two looks while following."""

_COLOURS = ("cyan", "green", "yellow", "magenta", "blue", "bright_cyan", "bright_green")


@click.command()
@click.argument("names", nargs=-1, metavar="[SERVICE|REPLICA]...")
@click.option("--follow", "-f", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@click.option(
    "--lines",
    "-n",
    type=click.IntRange(0, 100_000),
    default=50,
    show_default=True,
    help="Last lines of each file to begin with.",
)
@place.path_option
@place.json_option
def command(
    names: tuple[str, ...], path: Path | None, *, follow: bool, lines: int, as_json: bool
) -> None:
    """Show what replicas wrote, and `edge` for the proxy's access log.

    With --json every line is an object whose `log` says who wrote it: a replica, or `edge`. Beside
    that it is what was written, if that is an object, and else has it as `message`.
    """
    folder = place.running_state(path) / "logs"
    followers = {file: Follower(path=file) for file in log_files(folder, names)}
    if names and not followers:
        known = ", ".join(file.stem for file in log_files(folder, ())) or "none yet"
        raise EngineRefused(f"no logs of {', '.join(names)}; there are {known}")
    for follower in followers.values():
        for line in follower.tail(lines):
            show(line, as_json=as_json)
    try:
        while follow:
            pause(LOOK_S)
            for file in log_files(folder, names):
                # A replica that started since then: all that it wrote.
                follower = followers.setdefault(file, Follower(path=file))
                for line in follower.more():
                    show(line, as_json=as_json)
    except KeyboardInterrupt:
        return


def show(line: Line, *, as_json: bool) -> None:
    """Print one line."""
    if as_json:
        click.echo(json.dumps(as_object(line)))
        return
    colour = _COLOURS[sum(line.replica.encode()) % len(_COLOURS)]
    click.echo(f"{click.style(line.replica, fg=colour)} {line.text}")


def as_object(line: Line) -> dict[str, object]:
    """Return a line as an object that also says whose log it is of; nothing written is lost."""
    try:
        written = json.loads(line.text)
    except (ValueError, RecursionError):
        written = None
    if not isinstance(written, dict) or "log" in written:
        written = {"message": line.text}
    return {"log": line.replica, **written}
