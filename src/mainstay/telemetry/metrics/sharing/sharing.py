"""The metrics of a replica: of this process, and of its kin where there is any."""

import atexit
import os
import sys
import threading
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from mainstay.core.clock import SYSTEM_CLOCK, Clock
from mainstay.core.complaint import complain
from mainstay.telemetry.metrics.exposition.endpoint import FiguresUnavailable
from mainstay.telemetry.metrics.registry import Registry
from mainstay.telemetry.metrics.sharing.folder import Folder
from mainstay.telemetry.metrics.sharing.kin import (
    FOLDER_VARIABLE,
    find_kin,
    find_spawner,
    folder_of,
    shared_root,
)
from mainstay.telemetry.metrics.sharing.sweep import sweep
from mainstay.telemetry.metrics.snapshot import Snapshot, merge
from mainstay.telemetry.metrics.table import counter

TELL_EVERY_S = 1.0
"""A worker's counts are seen by those who ask another one after this time at the latest."""

_TELL_SHARE = 0.005
"""Of one core. What is so much that telling takes longer is told less often."""

_JOIN_S = 1.0


class Sharing:
    """Adds up what the processes of one replica have counted.

    A process that is alone keeps all in its memory. One that is a worker, or has forked, or was
    named a folder, tells the others there: now and then, when somebody asks it, and at its end.

    Args:
        registry: What this process counts.
        folder: Where the processes of this replica tell each other.
        shared: Whether there are others from the start.
        root: The folder above, where it must be private too.
        clock: Times the telling.
        complain: Writes a text to stderr; must not raise.
    """

    def __init__(
        self,
        registry: Registry,
        folder: Path,
        *,
        shared: bool,
        root: Path | None = None,
        clock: Clock = SYSTEM_CLOCK,
        complain: Callable[[str], object] = complain,
    ) -> None:
        self._registry = registry
        self._place = folder
        self._root = root
        self._folder = Folder(folder, series_max=registry.series_max, root=root)
        self._clock = clock
        self._complain = complain
        self._shared = shared
        self._complained = False
        # Held from the counting until it is told: what is told later must not be older.
        self._telling = threading.RLock()
        self._thread: threading.Thread | None = None
        self._ended = threading.Event()
        self._failed = counter(registry, "mainstay_telemetry_untold")
        _heed_forks_and_exit(self)
        if shared:
            self._begin()

    def collect(self) -> Snapshot:
        """Return what all processes of the replica have counted; of others, as they last told.

        Whatever it returns of this process is in its file before.

        Raises:
            FiguresUnavailable: The folder is busy or can't be used, so that sums would go back.
        """
        if not self._shared:
            # Of a child that was spawned, and not forked, nothing tells but what it left there.
            self._shared = self._folder.is_used()
        if not self._shared:
            return self._registry.snapshot()
        try:
            with self._telling:
                own = self._registry.snapshot()
                others = self._folder.ask(own)
        except (OSError, ValueError) as error:
            self._note(error)
            raise FiguresUnavailable(str(error)) from error
        # This process's own first: of two that count under one name, the present version's holds.
        return merge((own, *others), series_max=self._registry.series_max)

    def tidy_up(self) -> None:
        """Remove what replicas left behind that are gone, where the place is ours."""
        if self._root is not None:
            sweep(self._root)

    def tell(self) -> float:
        """Tell the others what this process has counted; return the seconds until the next time."""
        began_s = self._clock.monotonic_s()
        self._do(self._folder.tell)
        return pause_s(self._clock.monotonic_s() - began_s)

    def close(self) -> None:
        """Tell the others for the last time. What is counted afterwards is told at exit."""
        self._ended.set()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(_JOIN_S)
        if self._shared and self._do(self._folder.leave):
            # They are with those that ended now, and what comes is told under another name.
            self._folder.forget()
            self._registry.forget()

    def _do(self, tell: Callable[[Snapshot], None]) -> bool:
        try:
            with self._telling:
                tell(self._registry.snapshot())
        except (OSError, ValueError) as error:
            self._note(error)
            return False
        return True

    def forked(self) -> None:
        """Note, in a parent, that there is a child from now on."""
        self._shared = True

    def begin_in_child(self) -> None:
        """Begin anew in a forked process, as one of several."""
        self._folder.forget()
        self._thread = None
        self._telling = threading.RLock()
        self._ended = threading.Event()
        self._shared = True
        self._begin()
        util = sys.modules.get("multiprocessing.util")
        if util is not None:
            # Such a child ends without what Python does at exit, but not without this.
            util.register_after_fork(
                self, lambda one: util.Finalize(one, one.close, exitpriority=0)
            )

    def _begin(self) -> None:
        thread = threading.Thread(
            target=_keep_telling, args=(weakref.ref(self), self._ended),
            name="mainstay-metrics-telling", daemon=True,
        )  # fmt: skip
        # No more threads: those who ask this process still get what it has.
        with suppress(RuntimeError):
            thread.start()
            self._thread = thread

    def _note(self, error: Exception) -> None:
        self._failed.inc()
        if not self._complained:
            self._complained = True
            self._complain(
                f"mainstay: metrics of this process are not shared by {self._place}: {error}\n"
            )


def sharing_of(
    registry: Registry, *, service: str, environ: Mapping[str, str], clock: Clock = SYSTEM_CLOCK
) -> Sharing:
    """Return what adds up the metrics of this process and its kin.

    Args:
        registry: What this process counts.
        service: Its name.
        environ: May name a folder by ``MAINSTAY_METRICS_DIR``.
        clock: Times the telling.
    """
    kin = find_kin()
    named = bool(environ.get(FOLDER_VARIABLE))
    return Sharing(
        registry,
        folder_of(service, kin, environ),
        shared=kin.is_worker or named,
        root=None if named else shared_root(),
        clock=clock,
    )


def pause_s(took_s: float) -> float:
    """Return the seconds until the next time, when telling took so many."""
    return max(TELL_EVERY_S, took_s / _TELL_SHARE)


def _heed_forks_and_exit(sharing: Sharing) -> None:
    """Have one told of forks and of the end, for as long as it lives."""
    known = weakref.ref(sharing)

    def tell(what: Callable[[Sharing], None]) -> None:
        found = known()
        if found is not None:
            what(found)

    os.register_at_fork(
        after_in_parent=lambda: tell(Sharing.forked),
        after_in_child=lambda: tell(Sharing.begin_in_child),
    )
    atexit.register(tell, Sharing.close)
    util = sys.modules.get("multiprocessing.util")
    if util is not None and find_spawner() is not None:
        # A child of a fork server ends without what Python does at exit, but not without this.
        util.Finalize(None, tell, args=(Sharing.close,), exitpriority=0)


def _keep_telling(known: "weakref.ref[Sharing]", ended: threading.Event) -> None:
    wait_s = TELL_EVERY_S
    tidy = False
    while not ended.wait(wait_s):
        sharing = known()
        if sharing is None:
            return
        wait_s = sharing.tell()
        if not tidy:
            # Once, and not on the way of a start.
            sharing.tidy_up()
            tidy = True
        # What nobody else holds any more may go while this thread waits.
        del sharing
