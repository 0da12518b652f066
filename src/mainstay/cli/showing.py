"""The daemon's status on stdout: once or again and again, as JSON or as a table."""

import json
from collections.abc import Callable
from typing import Final

import click

from mainstay.cli.outcome import outputs
from mainstay.cli.parts import need
from mainstay.control.api.wire import Json
from mainstay.core.clock import pause

WATCH_S: Final = 1.0
"""Between two looks of a watched status."""


def need_tables(command: str, *, as_json: bool) -> None:
    """Make sure, before a command does anything, that its answer can be shown.

    Raises:
        PartMissing: It can't.
    """
    if not as_json:
        need(command, "rich")


def print_status(status: Json, *, as_json: bool) -> None:
    """Print the answer of the daemon's ``status``."""
    if as_json:
        click.echo(json.dumps(status, indent=2))
        return
    from mainstay.cli.drawing import status_text

    click.echo(status_text(status), nl=False)


def watch_status(
    status: Callable[[], Json], *, as_json: bool, wait: Callable[[float], None] = pause
) -> None:
    """Show the status again and again until Ctrl-C: over itself on a terminal, else below.

    With ``as_json`` each is one line, so that a program can read them one by one.
    """
    stdout, _ = outputs()
    try:
        if not as_json and stdout is not None and stdout.isatty():
            from mainstay.cli.drawing import draw_over

            draw_over(status, lambda: wait(WATCH_S))
        while True:
            found = status()
            if as_json:
                click.echo(json.dumps(found))
            else:
                print_status(found, as_json=False)
                click.echo()
            wait(WATCH_S)
    except KeyboardInterrupt:
        return
