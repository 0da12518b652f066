"""Ends what a daemon that was killed left running, without starting another one."""

import asyncio
from pathlib import Path
from typing import Final

import click

from mainstay.cli.place import control_socket
from mainstay.control.engines.local import records
from mainstay.control.engines.local.folder import SystemLock
from mainstay.control.processes.ends import running
from mainstay.control.processes.identity import ProcessIdentity, alive
from mainstay.control.processes.process import adopt, sweep
from mainstay.core.sockets import clear_room, remove_socket

DRAIN_S: Final = 20.0
"""The declaration may be unreadable by now, so every process gets the default drain bound."""


async def clear(state: Path) -> bool:
    """End every process that is known from ``state``; return whether there was one.

    The proxy goes first, so that no request comes any more, then the replicas, all at once.

    Raises:
        AlreadyRunning: A daemon appeared meanwhile.
    """
    with SystemLock(state / "lock"):
        loaded = records.load(state / "state.json")
        if loaded.trouble is not None:
            click.echo(f"  {loaded.trouble}", err=True)
        record = loaded.record
        found: set[ProcessIdentity] = set()
        # After a reboot nothing of it can live, and its numbers may be anybody's.
        if record is None or record.boot_id == records.boot_id():
            found |= set(running(state / "ends", logs=state / "logs"))
        if record is not None and record.boot_id == records.boot_id():
            found |= {one.identity for one in record.replicas}
            found |= {record.edge} if record.edge is not None else set()
        proxies = [one for one in found if record is not None and one == record.edge]
        ended = await asyncio.gather(*map(_end, proxies))
        ended += await asyncio.gather(*(_end(one) for one in found if one not in proxies))
        (state / "state.json").unlink(missing_ok=True)
        clear_room(control_socket(state))
        remove_socket(state / "edge", "admin.sock")
        return any(ended)


async def _end(identity: ProcessIdentity) -> bool:
    lived = alive(identity)
    process = adopt(identity)
    if process is not None:
        await process.stop(DRAIN_S)
    await sweep(identity)
    return lived
