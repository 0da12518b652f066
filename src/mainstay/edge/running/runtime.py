"""The running Envoy: started, told, kept alive, adopted, drained."""

import asyncio
import contextlib
import json
import math
import signal
from collections.abc import Callable
from pathlib import Path

from mainstay.core.clock import Clock
from mainstay.core.errors import EdgeRefused, EdgeUnavailable, MainstayError, PartMissing
from mainstay.core.events import Event
from mainstay.core.sockets import remove_socket, short_socket_path
from mainstay.edge.envoy.bootstrap import bootstrap
from mainstay.edge.envoy.resources import Resources
from mainstay.edge.events import (
    EdgeAdopted,
    EdgeDied,
    EdgeDrained,
    EdgeHung,
    EdgePushed,
    EdgePushRefused,
    EdgeRestartFailed,
    EdgeStarted,
)
from mainstay.edge.process import Launcher, Process
from mainstay.edge.running.admin import TIMEOUT_S, Admin, AdminSocketGone
from mainstay.edge.running.binary import command, connections_max, validate
from mainstay.edge.running.drain import end_process, finish_requests
from mainstay.edge.running.push import (
    push,
    read_resources,
    wait_until_served,
    write_resources,
    write_unless_same,
)
from mainstay.edge.running.stats import EdgeStats, read_stats
from mainstay.edge.running.watch import ASK_TARGET, ASK_TIMEOUT_S, wait_until_hung

NAME = "edge"
BOOTSTRAP_FILE = "bootstrap.json"
SOCKET = "admin.sock"
PRIVATE_FOLDER_MODE = 0o700

START_TIMEOUT_S = 15.0
"""From the start of the process until it serves; 0.2 s on an idle machine."""

STABLE_S = 10.0
"""An Envoy that lived this long is restarted at once when it dies."""

RESTART_S = (0.1, 5.0)
"""Pause before the second restart in a row, doubled up to the longest."""


def restart_delay_s(failures: int) -> float:
    """Return the pause before a restart, after so many short lives in a row: at first none."""
    first_s, longest_s = RESTART_S
    if failures <= 0:
        return 0.0
    # Bounded exponent: the count has no bound in a long outage.
    return min(longest_s, math.ldexp(first_s, min(failures - 1, 16)))


class EdgeRuntime:
    """One Envoy and its folder. For one event loop; its methods may be called concurrently.

    Args:
        folder: Envoy's working folder, absolute; made with mode 0700 where it is missing.
        launcher: Starts the process.
        clock: For durations and the time of events.
        on_event: Told of everything that happens; must not raise.
        concurrency: Envoy's worker threads.
    """

    def __init__(
        self,
        folder: Path,
        *,
        launcher: Launcher,
        clock: Clock,
        on_event: Callable[[Event], None] = lambda _: None,
        concurrency: int = 1,
    ) -> None:
        self._folder = folder
        self._launcher = launcher
        self._clock = clock
        self._on_event = on_event
        self._concurrency = concurrency
        self._process: Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        # One change at a time. The keeper restarts Envoy without it, since a push that is under
        # way when Envoy dies waits for exactly that.
        self._changing = asyncio.Lock()

    @property
    def process(self) -> Process | None:
        """The Envoy that is looked after, or None before the start and after the end."""
        return self._process

    async def start(self, resources: Resources) -> None:
        """Start Envoy with ``resources`` and return when it serves by them.

        Raises:
            EdgeRefused: Envoy does not take them, or a port is in use; nothing runs.
            EdgeUnavailable: Envoy could not be started or did not serve in time; nothing runs.
            PartMissing: Envoy is not installed.
        """
        async with self._changing:
            assert self._process is None, "an edge is started once"
            self._make_folder()
            await validate(self._folder, resources)
            write_resources(self._folder, resources)
            began_s = self._clock.monotonic_s()
            try:
                process = await self._launch()
                await self._served(process, resources)
            except BaseException:
                # Cancelled or failed: nothing may be left behind that nobody looks after.
                await self._end(asked=False)
                raise
            self._started(process, began_s)
            self._keeper = asyncio.create_task(self._keep(process), name="edge keeper")

    async def adopt(self, process: Process, resources: Resources) -> None:
        """Look after an Envoy that runs already, and push ``resources``.

        Raises:
            EdgeRefused: Envoy does not take them; it is looked after nevertheless.
            EdgeUnavailable: Envoy does not answer; it is looked after nevertheless.
        """
        async with self._changing:
            assert self._process is None, "an edge is adopted once"
            self._process = process
            self._keeper = asyncio.create_task(self._keep(process), name="edge keeper")
            self._on_event(EdgeAdopted(at_s=self._clock.wall_s(), pid=process.pid))
        await self.push(resources)

    async def push(self, resources: Resources) -> None:
        """Bring Envoy to ``resources`` and return when requests are served by them.

        Pushes that are asked for at the same time happen one after the other.

        Raises:
            EdgeRefused: Envoy does not take them and goes on with the last good ones.
            EdgeUnavailable: Envoy does not run, or did not take them within 10 s, or the disk is
                full and they are much longer than the last ones; a later push may succeed.
        """
        async with self._changing:
            if self._process is None:
                raise EdgeUnavailable("the edge does not run")
            began_s = self._clock.monotonic_s()
            try:
                files = await push(self._folder, resources, admin=self._admin(), clock=self._clock)
            except EdgeRefused as error:
                self._on_event(EdgePushRefused(at_s=self._clock.wall_s(), why=str(error)))
                raise
            duration_s = self._clock.monotonic_s() - began_s
            self._on_event(
                EdgePushed(at_s=self._clock.wall_s(), duration_s=duration_s, files=files)
            )

    async def stats(self) -> EdgeStats:
        """Return Envoy's own figures of each service and replica.

        Raises:
            EdgeUnavailable: Envoy does not answer.
        """
        return await read_stats(self._admin())

    async def leave(self) -> None:
        """Stop looking after Envoy, which goes on: for a daemon that ends before it."""
        async with self._changing:
            await self._stop_keeping()
            self._process = None

    async def drain(self, grace_s: float) -> None:
        """End Envoy: let requests in flight finish for up to ``grace_s`` seconds, then stop it.

        An Envoy that does not answer is ended at once; that none runs is no error.

        Raises:
            EdgeUnavailable: The process outlived even SIGKILL.
        """
        async with self._changing:
            await self._stop_keeping()
            if self._process is None:
                return
            began_s = self._clock.monotonic_s()
            cut, asked = 0, False
            with contextlib.suppress(EdgeUnavailable):
                cut = await finish_requests(self._admin(), self._clock, grace_s)
                await self._admin().post("/quitquitquit")
                asked = True
            await self._end(asked=asked)
            duration_s = self._clock.monotonic_s() - began_s
            self._on_event(EdgeDrained(at_s=self._clock.wall_s(), duration_s=duration_s, cut=cut))

    def _make_folder(self) -> None:
        try:
            self._folder.mkdir(mode=PRIVATE_FOLDER_MODE, parents=True, exist_ok=True)
        except OSError as error:
            raise EdgeUnavailable(f"the edge's folder cannot be made: {error}") from error

    def _admin(self, timeout_s: float = TIMEOUT_S) -> Admin:
        try:
            return Admin(socket=short_socket_path(self._folder, SOCKET), timeout_s=timeout_s)
        except OSError as error:
            raise AdminSocketGone(f"no place for Envoy's admin socket: {error}") from error

    async def _launch(self) -> Process:
        socket = self._admin().socket
        text = json.dumps(bootstrap(admin_socket=socket, connections_max=connections_max()))
        write_unless_same(self._folder / BOOTSTRAP_FILE, text)
        argv = command(self._folder, concurrency=self._concurrency)
        launching = asyncio.ensure_future(self._launcher.launch(NAME, argv))
        try:
            self._process = await asyncio.shield(launching)
        except asyncio.CancelledError:
            # What was begun is finished, so that whoever cancelled can end it.
            self._process = await launching
            raise
        except OSError as error:
            raise EdgeUnavailable(f"Envoy could not be started: {error}") from error
        return self._process

    async def _served(self, process: Process, resources: Resources) -> None:
        """Return when Envoy serves by ``resources``; raise at once when it ends before."""
        serving = asyncio.ensure_future(
            wait_until_served(
                resources, admin=self._admin(), clock=self._clock, timeout_s=START_TIMEOUT_S
            )
        )
        ending = asyncio.ensure_future(process.wait())
        try:
            await asyncio.wait((serving, ending), return_when=asyncio.FIRST_COMPLETED)
            if not serving.done():
                raise EdgeUnavailable("Envoy ended before it served; its log says why")
            serving.result()
        finally:
            serving.cancel()
            ending.cancel()
            await asyncio.gather(serving, ending, return_exceptions=True)

    def _started(self, process: Process, began_s: float) -> None:
        duration_s = self._clock.monotonic_s() - began_s
        self._on_event(
            EdgeStarted(at_s=self._clock.wall_s(), pid=process.pid, duration_s=duration_s)
        )

    async def _keep(self, process: Process) -> None:
        """Start Envoy again whenever it ends or hangs, with what its files say: the last good."""
        short_lives = 0
        while True:
            began_s = self._clock.monotonic_s()
            await self._ended(process)
            lived_s = self._clock.monotonic_s() - began_s
            short_lives = 0 if lived_s >= STABLE_S else short_lives + 1
            delay_s = restart_delay_s(short_lives - 1)
            self._on_event(
                EdgeDied(at_s=self._clock.wall_s(), pid=process.pid, restart_in_s=delay_s)
            )
            process = await self._restart(delay_s)

    async def _ended(self, process: Process) -> None:
        """Return when the process is gone; meanwhile see that it does not hang."""
        watching = asyncio.ensure_future(self._watch(process))
        try:
            await process.wait()
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def _watch(self, process: Process) -> None:
        """Kill an Envoy that hangs: SIGTERM would wait in its queue with everything else."""
        await wait_until_hung(lambda: self._admin(ASK_TIMEOUT_S).get(ASK_TARGET))
        self._on_event(EdgeHung(at_s=self._clock.wall_s(), pid=process.pid))
        process.signal(signal.SIGKILL)

    async def _restart(self, delay_s: float) -> Process:
        while True:
            await asyncio.sleep(delay_s)
            began_s = self._clock.monotonic_s()
            try:
                process = await self._launch()
                break
            except (EdgeUnavailable, PartMissing) as error:
                delay_s = RESTART_S[1]
                self._restart_failed(error, delay_s)
        try:
            await self._served(process, read_resources(self._folder))
        except (EdgeRefused, EdgeUnavailable) as error:
            # What it did take is better than nothing; if it ended, the keeper sees to it.
            self._restart_failed(error, 0.0)
        else:
            self._started(process, began_s)
        return process

    def _restart_failed(self, error: MainstayError, delay_s: float) -> None:
        at_s = self._clock.wall_s()
        self._on_event(EdgeRestartFailed(at_s=at_s, why=str(error), restart_in_s=delay_s))

    async def _stop_keeping(self) -> None:
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)

    async def _end(self, *, asked: bool) -> None:
        """See the process off, if there is one, and remove its socket."""
        process, self._process = self._process, None
        if process is not None:
            await end_process(process, asked=asked)
        with contextlib.suppress(OSError):
            remove_socket(self._folder, SOCKET)
