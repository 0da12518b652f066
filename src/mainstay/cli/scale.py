"""`mainstay scale SERVICE N`."""

from pathlib import Path

import click

from mainstay.cli import place
from mainstay.cli.asking import ask
from mainstay.cli.showing import need_tables, print_status
from mainstay.cli.telling import quiet, tell


@click.command()
@click.argument("service", shell_complete=place.known_services)
@click.argument("replicas", type=click.IntRange(0, 64))
@place.path_option
@place.json_option
def command(service: str, replicas: int, path: Path | None, *, as_json: bool) -> None:
    """Run REPLICAS replicas of SERVICE from now on, and wait until they do.

    Replicas that go are taken out of the traffic first and finish what they began. The number
    holds until the next `mainstay up`, which goes back to the declared one.
    """
    need_tables("scale", as_json=as_json)
    answer = ask(
        place.running_state(path),
        "scale",
        service=service,
        replicas=replicas,
        timeout_s=120.0,
        on_event=quiet if as_json else tell,
    )
    print_status(answer, as_json=as_json)
