"""`python -m mainstay.cli.serving ROOT`: the daemon behind `mainstay up -d`.

Its stderr is `.mainstay/daemon.err`: one sentence if it can't start. Events go to
`.mainstay/daemon.log`, one JSON object a line.
"""

import asyncio
import json
import logging
import os
import sys
from io import BufferedWriter, FileIO, TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Final

import click

from mainstay.cli.outcome import report
from mainstay.cli.place import state_of
from mainstay.cli.wiring import Site
from mainstay.control.daemon import event_json
from mainstay.core.errors import AlreadyRunning, ConfigInvalid, MainstayError
from mainstay.core.events import Event, Listener

LOG_BYTES_MAX: Final = 4 * 2**20
"""Of one file of the daemon's log; two are kept."""


@click.command()
@click.argument("root", type=click.Path(path_type=Path))
@click.option("--env", default=None)
def command(root: Path, env: str | None) -> None:
    """Run the system in ROOT until it is ended."""
    try:
        site = Site(root, env=env, environ=dict(os.environ), on_event=logging_to(state_of(root)))
        asyncio.run(site.run())
    except AlreadyRunning:
        # That is no news to whoever started two, and those are the other one's last words.
        sys.exit(1)
    except MainstayError as error:
        report(error, as_json=False)
        sys.exit(2 if isinstance(error, ConfigInvalid) else 1)


class PrivateLog(RotatingFileHandler):
    """A rotating log file that only its owner can read."""

    def _open(self) -> TextIOWrapper:
        descriptor = os.open(self.baseFilename, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        return TextIOWrapper(BufferedWriter(FileIO(descriptor, "a")), encoding=self.encoding)


def logging_to(state: Path) -> Listener:
    """Return a listener that writes events to the daemon's log."""
    handler = PrivateLog(
        state / "daemon.log", maxBytes=LOG_BYTES_MAX, backupCount=1, encoding="utf-8"
    )
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger = logging.getLogger("mainstay.daemon")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(handler)
    # A full disk costs log lines, nothing else.
    logging.raiseExceptions = False

    def write(event: Event) -> None:
        logger.info(json.dumps(event_json(event)))

    return write


if __name__ == "__main__":
    command()
