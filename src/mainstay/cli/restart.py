"""`mainstay restart SERVICE`."""

from pathlib import Path

import click

from mainstay.cli import place
from mainstay.cli.asking import ask
from mainstay.cli.showing import need_tables, print_status
from mainstay.cli.telling import quiet, tell


@click.command()
@click.argument("service", shell_complete=place.known_services)
@place.path_option
@place.json_option
def command(service: str, path: Path | None, *, as_json: bool) -> None:
    """Replace the replicas of SERVICE one by one; no request is lost.

    Each new replica is ready before an old one leaves. A new one that does not start leaves the
    old ones serving, and the command fails with its last log lines.
    """
    need_tables("restart", as_json=as_json)
    answer = ask(
        place.running_state(path),
        "restart",
        service=service,
        timeout_s=120.0,
        on_event=quiet if as_json else tell,
    )
    print_status(answer, as_json=as_json)
