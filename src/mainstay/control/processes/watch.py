"""Waiting for the end of a process that need not be our child."""

import asyncio
import os

from mainstay.control.processes.identity import lives

POLL_S = 0.05
"""How often we look where the system has no descriptor of a process."""


async def gone(pid: int, since_s: float) -> None:
    """Return once the process ``pid`` that began at ``since_s`` has ended.

    On Linux within about a millisecond of its end, without a wake-up before it; elsewhere within
    ``POLL_S``. A process that has ended and waits for its parent to collect it counts as ended.
    """
    fd = _open_pidfd(pid)
    if fd is None:
        while lives(pid, since_s):  # noqa: ASYNC110  There is nothing that could wake us.
            await asyncio.sleep(POLL_S)
        return
    try:
        # Looked at after opening: if this is ours now, the descriptor is ours for good.
        if lives(pid, since_s):
            await _readable(fd)
    finally:
        os.close(fd)


async def _readable(fd: int) -> None:
    loop = asyncio.get_running_loop()
    ended = loop.create_future()
    loop.add_reader(fd, _settle, ended)
    try:
        await ended
    finally:
        loop.remove_reader(fd)


def _settle(ended: "asyncio.Future[None]") -> None:
    # The descriptor stays readable: the loop may call again before the waiter has run.
    if not ended.done():
        ended.set_result(None)


def _open_pidfd(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        # Not Linux, an old kernel, or the process is gone, which the first look will tell.
        return None
