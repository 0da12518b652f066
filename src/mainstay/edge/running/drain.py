"""The end of an Envoy: requests in flight finish, then the process goes, willing or not."""

import asyncio
import signal

from mainstay.core.clock import Clock
from mainstay.core.errors import EdgeUnavailable
from mainstay.edge.process import Process
from mainstay.edge.running.admin import Admin
from mainstay.edge.running.push import poll_pauses_s
from mainstay.edge.running.stats import count_active

LISTENING_S = 1.0
"""At the start of a drain new connections are still served: a client that was just told to close
its connection opens another one."""

END_TIMEOUT_S = 5.0
"""For each of: going by itself, going after SIGTERM, going after SIGKILL."""


async def finish_requests(admin: Admin, clock: Clock, grace_s: float) -> int:
    """Take no more requests, wait until none is in flight, and return how many still are.

    Args:
        admin: Of the Envoy that is to end.
        clock: For the bound.
        grace_s: Bound of the wait, in seconds; after it the rest is returned.

    Raises:
        EdgeUnavailable: Envoy does not answer.
    """
    began_s = clock.monotonic_s()
    await admin.post("/healthcheck/fail")
    await admin.post("/drain_listeners?graceful")
    listening = True
    for pause_s in poll_pauses_s():
        active = await count_active(admin)
        waited_s = clock.monotonic_s() - began_s
        if waited_s >= grace_s or (active == 0 and not listening):
            return active
        if listening and (active == 0 or waited_s >= LISTENING_S):
            await admin.post("/drain_listeners")
            listening = False
        await asyncio.sleep(pause_s)
    raise AssertionError("the pauses have no end")


async def end_process(process: Process, *, asked: bool) -> None:
    """Wait until the process is gone, and make it go.

    Args:
        process: Of the Envoy.
        asked: Whether it was already asked to quit, and gets some time to do so by itself.

    Raises:
        EdgeUnavailable: It outlived even SIGKILL.
    """
    for number in (*((None,) if asked else ()), signal.SIGTERM, signal.SIGKILL):
        if number is not None:
            process.signal(number)
        try:
            async with asyncio.timeout(END_TIMEOUT_S):
                await process.wait()
        except TimeoutError:
            continue
        return
    raise EdgeUnavailable(f"Envoy (process {process.pid}) does not end, even by SIGKILL")
