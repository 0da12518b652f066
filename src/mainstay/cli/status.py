"""`mainstay status`."""

from pathlib import Path

import click

from mainstay.cli import place
from mainstay.cli.asking import ask
from mainstay.cli.showing import need_tables, print_status, watch_status


@click.command()
@place.path_argument
@click.option("--watch", "-w", is_flag=True, help="Show it again every second until Ctrl-C.")
@place.json_option
def command(path: Path | None, *, watch: bool, as_json: bool) -> None:
    """Show services, replicas, health and traffic. Figures are the proxy's own.

    Without PATH it is the system of this folder, or of the nearest one above. Exits with 1 when a
    service is not as it is wanted, so that scripts can wait for it. --watch --json prints one
    object a line.
    """
    need_tables("status", as_json=as_json)
    state = place.running_state(path)
    if watch:
        watch_status(lambda: ask(state, "status"), as_json=as_json)
        return
    answer = ask(state, "status")
    print_status(answer, as_json=as_json)
    if not answer["settled"]:
        raise click.exceptions.Exit(1)
