"""`mainstay down`."""

import asyncio
import json
from pathlib import Path
from typing import Final

import click

from mainstay.cli import place
from mainstay.cli.asking import ask
from mainstay.cli.parts import need
from mainstay.cli.telling import quiet, tell
from mainstay.control.engines.local.folder import lock_holder
from mainstay.core.clock import SystemClock, pause
from mainstay.core.errors import EngineRefused, NotRunning
from mainstay.core.sockets import remove_socket

SILENCE_S: Final = 3700.0
"""The longest drain that can be declared is an hour."""

GONE_S: Final = 10.0
"""After its last word the daemon is gone within this."""


@click.command()
@place.path_argument
@place.json_option
def command(path: Path | None, *, as_json: bool) -> None:
    """End the system: drain, then stop every process. Logs stay in .mainstay/logs.

    Also ends what a daemon left running that was killed. Nothing running is not an error. PATH is
    the system's own folder; without it, it is the system of this folder or of the nearest above.
    """
    try:
        state = place.running_state(path)
    except NotRunning:
        ended = False
    else:
        ended = end(state, as_json=as_json)
    if as_json:
        click.echo(json.dumps({"ended": ended}))
    elif ended:
        click.echo("ended", err=True)
    else:
        above = place.system_above(path)
        other = f"; the system in {above} runs on" if above else ""
        click.echo(f"nothing was running{other}", err=True)


def end(state: Path, *, as_json: bool) -> bool:
    """End what runs from a state folder; return whether anything did.

    Raises:
        EngineRefused: The daemon does not answer, or does not go.
        PartMissing: No daemon runs, and what one may have left can't be looked for.
    """
    try:
        ask(state, "down", timeout_s=SILENCE_S, on_event=quiet if as_json else tell)
    except NotRunning:
        need("down", "psutil")
        from mainstay.cli.clearing import clear

        ended = asyncio.run(clear(state))
        for folder, name in ((state, place.SOCKET), (state / "edge", "admin.sock")):
            # Also the short folders of sockets whose own paths are too long.
            remove_socket(folder, name)
        return ended
    clock = SystemClock()
    give_up_s = clock.monotonic_s() + GONE_S
    while lock_holder(state / "lock") is not None:
        if clock.monotonic_s() > give_up_s:
            raise EngineRefused("everything is ended, but the daemon itself does not go")
        pause(0.02)
    return True
