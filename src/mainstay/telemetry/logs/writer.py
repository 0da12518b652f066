"""``Writer``: lines go to the kernel at once, and wait for no reader.

What the reader doesn't take is kept in a bounded queue for a thread, and is counted when that is
full too. As long as something waits, every line goes behind it, so that the order of a thread's
lines stays.
"""

import atexit
import os
import select
import threading
import weakref
from collections import deque
from typing import Final

from mainstay.core.clock import SYSTEM_CLOCK, Clock
from mainstay.telemetry.logs.outlet import Outlet, open_outlet

QUEUE_BYTES_MAX = 1_048_576
"""Of lines that wait for the reader: some seconds of a busy service."""

CLOSE_S = 1.0
"""How long the end of a process waits for a reader that doesn't read."""

_LOOK_S = 0.2
"""How long a wait for the reader lasts at most before one looks again."""

_STDOUT = 1


class Writer:
    """Writes lines. Safe for threads, signal handlers and forks.

    Args:
        outlet: Where to.
        clock: Bounds the end.
        queue_bytes_max: How much may wait.

    Attributes:
        lost: How many lines nobody will read.
    """

    __slots__ = (
        "__weakref__",
        "_begun",
        "_behind",
        "_clock",
        "_direct",
        "_lock",
        "_max",
        "_outlet",
        "_put",
        "_queue",
        "_queued_bytes",
        "_torn",
        "lost",
    )

    def __init__(
        self,
        outlet: Outlet,
        *,
        clock: Clock = SYSTEM_CLOCK,
        queue_bytes_max: int = QUEUE_BYTES_MAX,
    ) -> None:
        self._outlet = outlet
        self._put = outlet.write
        self._clock = clock
        self._max = queue_bytes_max
        self.begin_anew()
        _writers.add(self)

    def begin_anew(self) -> None:
        """Be as new, as a process that forked off is: what waits is its parent's to write."""
        self._lock = threading.RLock()
        self._queue: deque[bytes] = deque()
        self._queued_bytes = 0
        # Nothing waits and no line is being written, so the next one may be.
        self._direct = True
        # Something waits, and a thread sees to it.
        self._behind = False
        # A part of the line that waits longest was written.
        self._begun = False
        # A line was broken off, so the next one begins with a newline.
        self._torn = False
        self.lost = 0

    @property
    def behind(self) -> bool:
        """Whether lines wait for the reader."""
        return self._behind

    def write(self, line: bytes) -> None:
        """Write a line with its newline, or keep it for later. Never waits for a reader nor raises.

        In one call to the system, so that lines of several processes on one pipe stay whole up to
        PIPE_BUF bytes (4096 on Linux), and those of one process at any length.
        """
        # Not by `acquire` and `release`, in half the time: a handler of a signal that raises
        # between them would leave the lock taken.
        with self._lock:
            if self._direct:
                self._direct = False
                rest = self._take(line)
                if not rest and not self._queue:
                    self._direct = True
                    return
                if rest:
                    self._queue.appendleft(rest)
                    self._queued_bytes += len(rest)
            else:
                # Something waits; or a signal handler, or a destructor, came into the midst of
                # another line.
                self._keep(line)
            if self._queue and not self._behind:
                self._send_thread()

    def close(self) -> None:
        """Write what waits, for at most CLOSE_S; the rest is lost then. Lines may still come."""
        ends_s = self._clock.monotonic_s() + CLOSE_S
        while self._queue and (left_s := ends_s - self._clock.monotonic_s()) > 0:
            if not self._write_first():
                self._await_reader(min(left_s, _LOOK_S))
        with self._lock:
            self._give_up()

    def _take(self, line: bytes) -> bytes:
        """Write what can be written of a line, and return the rest that may be written later."""
        if self._torn:
            line = b"\n" + line
        try:
            taken = self._put(line)
        except BlockingIOError:
            return line
        except (OSError, ValueError):
            # Nobody reads, the disk is full, or stdout is closed: the work matters more.
            self.lost += 1
            return b""
        if taken == len(line):
            self._torn = False
            return b""
        if self._outlet.whole:
            # Only a full disk takes half a line.
            self._torn = self._torn or taken > 0
            self.lost += 1
            return b""
        self._torn = False
        self._begun = True
        return line[taken:]

    def _keep(self, line: bytes) -> None:
        if self._queued_bytes + len(line) > self._max:
            self.lost += 1
            return
        self._queue.append(line)
        self._queued_bytes += len(line)

    def _send_thread(self) -> None:
        """Let a thread see to what waits; it ends when nothing does."""
        self._behind = True
        thread = threading.Thread(target=self._catch_up, name="mainstay-logs", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            # No thread can be started, as at the interpreter's end: close() will write it, or the
            # next line tries again.
            self._behind = False

    def _catch_up(self) -> None:
        while self._behind:
            if not self._write_first():
                self._await_reader(_LOOK_S)

    def _write_first(self) -> bool:
        """Write the line that waits longest; return False if the reader has no room for it.

        One at a time, so that nobody who logs waits for the lock for longer than a line takes.
        """
        with self._lock:
            if self._queue:
                line = self._queue[0]
                lost = self.lost
                rest = self._take(line)
                if self.lost > lost:
                    # It is broken for all the others, too.
                    self.lost = lost
                    self._give_up()
                    return True
                self._queued_bytes -= len(line) - len(rest)
                if rest:
                    self._queue[0] = rest
                    return False
                self._queue.popleft()
                self._begun = False
            if not self._queue:
                self._behind = False
                self._direct = True
            return True

    def _give_up(self) -> None:
        """Count what waits as lost."""
        self._torn = self._torn or self._begun
        self._begun = False
        self.lost += len(self._queue)
        self._queue.clear()
        self._queued_bytes = 0
        self._behind = False
        self._direct = True

    def _await_reader(self, bound_s: float) -> None:
        poll = select.poll()
        poll.register(self._outlet.number, select.POLLOUT)
        poll.poll(bound_s * 1000)


def stdout_writer() -> Writer:
    """Return the one writer of this process to its stdout.

    All who ask share it, and so the place in the queue; another one is made only when stdout leads
    elsewhere than before.
    """
    try:
        found = os.fstat(_STDOUT)
        leads_to = (found.st_dev, found.st_ino)
    except OSError:
        leads_to = (-1, -1)
    writer = _at_stdout.get(leads_to)
    if writer is None:
        outlet = open_outlet(_STDOUT)
        writer = Writer(outlet)
        # Also at the end of the process lines may come until its last moment.
        weakref.finalize(writer, outlet.close).atexit = False
        _at_stdout.clear()
        # Of two threads that made one at the same time, both get the first one's.
        writer = _at_stdout.setdefault(leads_to, writer)
    return writer


_writers: Final[weakref.WeakSet[Writer]] = weakref.WeakSet()
_at_stdout: Final[dict[tuple[int, int], Writer]] = {}


def _after_fork() -> None:
    for writer in list(_writers):
        writer.begin_anew()


def _at_exit() -> None:
    for writer in list(_writers):
        writer.close()


os.register_at_fork(after_in_child=_after_fork)
atexit.register(_at_exit)
