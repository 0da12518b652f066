"""The threads that a WSGI app works in: as many as are needed, and not more.

A server's own pool makes a thread whenever none is idle at that moment, so that a burst of short
requests leaves hundreds, which take turns with the interpreter ever after. Here a thread that is
done takes the next request itself, and those beyond the app's places are made when a request has
waited: then all others wait, too, for a place, for a client or for a store.
"""

import contextlib
import threading
import traceback
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue

from mainstay.core.clock import pause
from mainstay.core.complaint import complain

Job = Callable[[], object]

PATIENCE_S = 0.005
"""So long a request waits, twice that at most, before a thread is made beyond the app's places."""

AT_ONCE_MAX = 64
"""Threads that are made after one look."""

HELPING_MAX = 128
"""Threads that bring jobs and do one themselves at once."""

SPARE_MAX = 8
"""Idle threads that are kept beyond those."""


class Workers:
    """Runs jobs in threads.

    Args:
        places: Threads that are made at once when they are needed, and stay.
        size_max: Threads at most; jobs beyond wait in the order in which they came.
        late: Called when jobs begin to be late.
        wait: Waits between two looks at what waits.

    Attributes:
        is_late: Whether jobs have waited for longer than PATIENCE_S, and since then there were
            always some on their way: who brings one had better do it.
    """

    __slots__ = (
        "_bell", "_count", "_helping", "_idle", "_jobs", "_late", "_lock", "_looks",
        "_max", "_places", "_put", "_wait", "is_late",
    )  # fmt: skip

    def __init__(
        self,
        places: int,
        size_max: int,
        *,
        late: Callable[[], object] = bool,
        wait: Callable[[float], object] = pause,
    ) -> None:
        self._places = places
        self._max = max(places, size_max)
        self._wait = wait
        self._jobs: SimpleQueue[Job] = SimpleQueue()
        # One for each thread that waits for a job; a step of C to come and one to go.
        self._idle: deque[None] = deque()
        self._lock = threading.Lock()
        self._count = 0
        self._helping = 0
        self._late = late
        self.is_late = False
        self._put = 0
        self._bell = threading.Event()
        self._looks = False

    def __len__(self) -> int:
        """How many threads there are."""
        return self._count

    def put(self, job: Job) -> None:
        """Have a job run. From any thread."""
        # One that two threads count as one makes a job look younger, until the next look.
        self._put += 1
        self._jobs.put(job)
        if self._jobs.qsize() > len(self._idle):
            self._call_more()

    def _call_more(self) -> None:
        """Have somebody take a job for which nobody is idle."""
        if self._count < self._places:
            self._start(1)
            return
        if not self._looks:
            self._begin_to_look()
        if not self._bell.is_set():
            self._bell.set()

    def help(self, job: Job) -> None:
        """Do a job that has come while others are late, in this thread; or have it run."""
        with self._lock:
            helps = self.is_late and self._helping < HELPING_MAX
            self._helping += helps
        if not helps:
            self.put(job)
            return
        try:
            job()
        finally:
            with self._lock:
                self._helping -= 1
                if not self._helping and self._jobs.empty():
                    self.is_late = False

    def look(self) -> bool:
        """Make threads for jobs that have waited since before; return whether any job waits.

        It takes as long as ``wait`` does.
        """
        if self._jobs.empty():
            return False
        here = self._put
        self._wait(PATIENCE_S)
        late = here - (self._put - self._jobs.qsize())
        if late > 0:
            self._start(min(late, AT_ONCE_MAX))
            if not self.is_late:
                self.is_late = True
                self._late()
        return not self._jobs.empty()

    def _begin_to_look(self) -> None:
        with self._lock:
            if self._looks:
                return
            thread = threading.Thread(target=self._run, name="mainstay-threads", daemon=True)
            # Where the system has no more threads, the next request tries again.
            with contextlib.suppress(RuntimeError):
                thread.start()
                self._looks = True

    def _run(self) -> None:
        try:
            while True:
                self._bell.wait()
                self._bell.clear()
                # Cleared first: one that comes from here on rings again.
                while self.look():
                    pass
        finally:
            # Whatever ended it (no memory is left), the next request begins anew.
            self._looks = False

    def _start(self, count: int) -> None:
        """Make so many threads more, or as many as there may be."""
        with self._lock:
            count = min(count, self._max - self._count)
            self._count += count
        for started in range(count):
            # A daemon: what a handler still does when the process ends is not waited for.
            thread = threading.Thread(target=self._work, name="mainstay-wsgi", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                # The system has no more: those that are there will come to it.
                with self._lock:
                    self._count -= count - started
                return

    def _work(self) -> None:
        jobs, idle = self._jobs, self._idle
        while not self._is_spare():
            idle.append(None)
            job = jobs.get()
            idle.pop()
            if jobs.qsize() > len(idle):
                # One that came between the two lines took this thread for idle.
                self._call_more()
            try:
                job()
            except BaseException as error:  # noqa: BLE001  One request takes no thread of others.
                # Where, and of which kind: its text may be a secret.
                where = "".join(traceback.format_tb(error.__traceback__))
                kind = type(error).__name__
                complain(f"mainstay: a thread of the server heard a {kind}\n{where}")
            # It holds the whole request, and the next one may be long in coming.
            del job

    def _is_spare(self) -> bool:
        """Return whether this thread is one too many; then it is not counted any more."""
        if self._count <= self._places or len(self._idle) < SPARE_MAX:
            return False
        with self._lock:
            if self._count <= self._places:
                return False
            self._count -= 1
            return True
