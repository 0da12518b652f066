"""`mainstay schema`."""

import json
from pathlib import Path

import click

from mainstay.core.errors import MainstayError


class OutputRefused(MainstayError):
    """The file for the output can't be written."""


@click.command()
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write to this file instead of stdout.",
)
@click.option("--overlay", is_flag=True, help="For mainstay.NAME.yaml: no key is required.")
def command(output: Path | None, *, overlay: bool) -> None:
    """Print the JSON Schema of mainstay.yaml, from which editors complete and check.

    \b
    Write it once:
      mainstay schema --output mainstay.schema.json
    and make this the first line of each mainstay.yaml:
      # yaml-language-server: $schema=mainstay.schema.json
    """  # noqa: D301  A real backspace: click keeps the lines below it as they are.
    # Only here: help must not pay for all the keys.
    from mainstay.spec.schema import json_schema

    text = json.dumps(json_schema(overlay=overlay), indent=2)
    if output is None:
        click.echo(text)
        return
    try:
        output.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputRefused(f"can't write {output}: {error.strerror}") from error
