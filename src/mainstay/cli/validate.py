"""`mainstay validate`."""

import json
import os
from pathlib import Path
from typing import Any

import click

from mainstay.core.errors import ConfigInvalid

_INVALID = 2


@click.command()
@click.argument("path", type=click.Path(path_type=Path), default=Path(), required=False)
@click.option("--env", metavar="NAME", help="Lay mainstay.NAME.yaml over; default: MAINSTAY_ENV.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON only.")
def command(path: Path, env: str | None, *, as_json: bool) -> None:
    """Check the declarations of a service or a system.

    PATH is a mainstay.yaml or its folder. Every fault of all files is a line on stderr, with file,
    line and column; the exit code is 2 then.
    """
    # Only here: help must not pay for YAML.
    from mainstay.spec.load import load_system

    try:
        loaded = load_system(path, env=env, environ=os.environ)
    except ConfigInvalid as error:
        _tell_faults(error, as_json=as_json)
        raise click.exceptions.Exit(_INVALID) from None
    names = [member.name for member in loaded.system.members]
    if as_json:
        answer: dict[str, Any] = {
            "valid": True,
            "system": loaded.system.name,
            "services": names,
            "env": loaded.env,
            "files": [str(file) for file in loaded.files],
            "notes": [note.as_json() for note in loaded.notes],
        }
        click.echo(json.dumps(answer))
        return
    for note in loaded.notes:
        click.echo(f"note: {note}")
    count = _counted(len(names), "service")
    notes = f", {_counted(len(loaded.notes), 'note')}" if loaded.notes else ""
    click.echo(f"valid: {loaded.system.name}: {count} ({', '.join(names)}){notes}")


def _tell_faults(error: ConfigInvalid, *, as_json: bool) -> None:
    """Write all faults: a line each to stderr, or as one object to stdout."""
    if as_json:
        faults = [fault.as_json() if hasattr(fault, "as_json") else {} for fault in error.faults]
        click.echo(json.dumps({"valid": False, "error": "ConfigInvalid", "faults": faults}))
        return
    for fault in error.faults:
        click.echo(str(fault), err=True)
    click.echo(_counted(len(error.faults), "fault"), err=True)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
