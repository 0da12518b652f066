"""`mainstay status`."""

from pathlib import Path

import click

from mainstay.cli import place
from mainstay.cli.drawing import print_status, watch_status
from mainstay.control.api.client import call


@click.command()
@place.path_argument
@click.option("--watch", "-w", is_flag=True, help="Draw it again every second until Ctrl-C.")
@place.json_option
def command(path: Path, *, watch: bool, as_json: bool) -> None:
    """Show services, replicas, health and traffic. Figures are the proxy's own.

    Exits with 1 when a service is not as it is wanted, so that scripts can wait for it.
    """
    socket = place.control_socket(place.running_state(path))
    if watch and not as_json:
        watch_status(lambda: call(socket, "status"))
        return
    answer = call(socket, "status")
    print_status(answer, as_json=as_json)
    if not answer["settled"]:
        raise click.exceptions.Exit(1)
