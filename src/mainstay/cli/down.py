"""`mainstay down`."""

import asyncio
import json
from pathlib import Path
from typing import Final

import click

from mainstay.cli import place
from mainstay.cli.telling import quiet, tell
from mainstay.control.api.client import call
from mainstay.control.engines.local.folder import lock_holder
from mainstay.core.clock import SystemClock, pause
from mainstay.core.errors import EngineRefused, NotRunning

SILENCE_S: Final = 3700.0
"""The longest drain that can be declared is an hour."""

GONE_S: Final = 10.0
"""After its last word the daemon is gone within this."""


@click.command()
@place.path_argument
@place.json_option
def command(path: Path, *, as_json: bool) -> None:
    """End the system: drain, then stop every process. Logs stay in .mainstay/logs.

    Also ends what a daemon left running that was killed. Nothing running is not an error.
    """
    try:
        state = place.running_state(path)
    except NotRunning:
        ended = False
    else:
        ended = end(state, as_json=as_json)
    if as_json:
        click.echo(json.dumps({"ended": ended}))
    else:
        click.echo("ended" if ended else "nothing was running", err=True)


def end(state: Path, *, as_json: bool) -> bool:
    """End what runs from a state folder; return whether anything did."""
    try:
        call(
            place.control_socket(state),
            "down",
            timeout_s=SILENCE_S,
            on_event=quiet if as_json else tell,
        )
    except NotRunning:
        from mainstay.cli.clearing import clear

        return asyncio.run(clear(state))
    clock = SystemClock()
    give_up_s = clock.monotonic_s() + GONE_S
    while lock_holder(state / "lock") is not None:
        if clock.monotonic_s() > give_up_s:
            raise EngineRefused("everything is ended, but the daemon itself does not go")
        pause(0.02)
    return True
