"""The shim's life: start one child, own it until it and all it started are gone, say how it ended.

One thread, one loop over two descriptors: the child's output, and the signals that reach us. Every
wait is bounded but the one for a child that is alive and well.
"""

import fcntl
import os
import select
import time  # noqa: TID251  This program cannot import core/clock.py: it runs without Mainstay.

from mainstay.control.processes.shim import child, family, liferecord, signals
from mainstay.control.processes.shim.boundedlog import BoundedLog
from mainstay.control.processes.shim.order import ORDER_BYTES_MAX, Order, unpack

MEMORY_LOOK_S = 1.0
"""How often the resident memory is looked at; a faster rise passes the bound by that much."""

SETTLE_S = 0.5
"""Processes that end because their parent did (a resource tracker) have so long to do it."""

TERM_S = 1.0
"""Processes that were left behind have so long between SIGTERM and SIGKILL."""

KILL_S = 2.0
"""So long we wait for the killed to be gone; one that hangs in the kernel is given up."""

FLUSH_S = 1.0
"""Someone who holds the output open, but is no child of ours, keeps us no longer than this."""

CHUNK_BYTES = 65536

REST_S = 0.01
"""So long further output gathers in the pipe after a piece of it. A child that says a line for each
of ten thousand requests a second would wake us for each, and pay for that itself."""

HASTE_PIECES = 32
"""A child that has filled a piece is quicker than that: so many are read without a rest."""

PIPE_BYTES = 2**17
"""Of output that may gather, where the system can: of 64 MiB that Linux gives to the pipes of one
user. Elsewhere a pipe may hold 8 KiB, and nothing gathers."""

_ORDER_FD = 0
_LOOK_S = 0.02


class Shim:
    """Owns one child that was started.

    Args:
        order: What was started.
        pid: The child.
        output_fd: Reads the child's output; not blocking.
        signal_fd: Reads the signals that reach us, a byte each.
        rests: Whether the pipe has room for what comes during a rest.
    """

    __slots__ = (
        "_began_s", "_bytes_over", "_haste", "_log", "_look_at_s", "_open", "_order", "_output_fd",
        "_pid", "_poller", "_resting", "_rests", "_signal_fd", "_status", "_tired",
    )  # fmt: skip

    def __init__(
        self, order: Order, *, pid: int, output_fd: int, signal_fd: int, rests: bool
    ) -> None:
        self._order = order
        self._pid = pid
        self._output_fd = output_fd
        self._signal_fd = signal_fd
        self._log = BoundedLog(order.log_path, bytes_max=order.log_bytes_max)
        self._status: int | None = None
        self._bytes_over = 0
        self._began_s = self._look_at_s = time.monotonic()
        self._open = True
        self._poller = select.poll()
        self._poller.register(output_fd, select.POLLIN)
        self._poller.register(signal_fd, select.POLLIN)
        # Looks at signals alone.
        self._resting = select.poll()
        self._resting.register(signal_fd, select.POLLIN)
        self._rests = rests
        # A piece of output was read since the last rest; and so many more go without one.
        self._tired = False
        self._haste = 0

    def own(self) -> dict[str, object]:
        """Return how the child ended, as fields of its record, once its whole family is gone."""
        bounded = self._order.memory_max_bytes is not None
        self._reap()  # It may have ended before its death could wake us.
        while self._status is None:
            self._turn(MEMORY_LOOK_S if bounded else None)
            if self._status is None:
                self._rest()
            if bounded and self._status is None:
                self._bound_memory()
        left_behind = self._end_leftovers()
        self._flush()
        self._log.finish()
        return self._end(left_behind=left_behind)

    def _turn(self, wait_s: float | None) -> None:
        """Wait for output, a signal or a death, at most ``wait_s`` seconds, and deal with it."""
        for fd, _ in self._poller.poll(None if wait_s is None else wait_s * 1000):
            if fd == self._output_fd:
                self._pump()
            else:
                self._heed()

    def _pump(self) -> None:
        """Move one piece of output to the log. While we write, a fast child waits at its pipe."""
        try:
            data = os.read(self._output_fd, CHUNK_BYTES)
        except BlockingIOError:
            return
        self._tired = self._rests and bool(data)
        if len(data) == CHUNK_BYTES:
            self._haste = HASTE_PIECES
        if data:
            self._log.write(data, now_s=time.monotonic())
        else:
            # Closed by the child and everyone else, while it may well live on.
            self._open = False
            self._poller.unregister(self._output_fd)

    def _rest(self) -> None:
        """Let output gather for a moment after a piece of it, unless a signal or a death comes."""
        if not self._tired:
            return
        self._tired = False
        if self._haste:
            self._haste -= 1
        elif self._resting.poll(REST_S * 1000):
            self._heed()

    def _heed(self) -> None:
        """Pass signals on to the child alone; the rest of its group is the child's to end."""
        for number in os.read(self._signal_fd, 512):
            if number in signals.PASSED_ON and self._status is None:
                os.kill(self._pid, number)
        self._reap()

    def _reap(self) -> bool:
        """Collect the dead, orphans that came to us included; return whether anyone is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self._pid:
                self._status = status

    def _bound_memory(self) -> None:
        now_s = time.monotonic()
        if now_s < self._look_at_s:
            return
        self._look_at_s = now_s + MEMORY_LOOK_S
        used = family.resident_bytes(family.descendants(os.getpid()))
        assert self._order.memory_max_bytes is not None
        if used > self._order.memory_max_bytes:
            self._bytes_over = used
            os.killpg(self._pid, signals.KILL)

    def _end_leftovers(self) -> bool:
        """End what the child left behind; return whether that needed a signal of ours.

        What was killed for its memory has been signalled already and is not "left behind".
        """
        if not self._bytes_over and self._gone_within(SETTLE_S, 0):
            return False
        if self._bytes_over or not self._gone_within(TERM_S, signals.TERM):
            self._gone_within(KILL_S, signals.KILL)
        return not self._bytes_over

    def _gone_within(self, bound_s: float, number: int) -> bool:
        """Send ``number`` to everyone left, newcomers too; return whether nobody is left."""
        until_s = time.monotonic() + bound_s
        signalled: set[int] = set()
        while self._anyone_left():
            if time.monotonic() >= until_s:
                return False
            for pid in family.leftovers(os.getpid(), self._pid) if number else ():
                if pid not in signalled:
                    signalled.add(pid)
                    _kill(pid, number)
            self._turn(_LOOK_S)
        return True

    def _anyone_left(self) -> bool:
        # Without a subreaper orphans are not ours to wait for; then only the group tells.
        return self._reap() or (
            not family.has_proc() and bool(family.leftovers(os.getpid(), self._pid))
        )

    def _flush(self) -> None:
        until_s = time.monotonic() + FLUSH_S
        while self._open and time.monotonic() < until_s:
            self._turn(_LOOK_S)

    def _end(self, *, left_behind: bool) -> dict[str, object]:
        assert self._status is not None
        code = os.waitstatus_to_exitcode(self._status)
        reason = "signal" if code < 0 else "exited"
        if left_behind:
            reason = "left_behind"
        if self._bytes_over:
            reason = "memory"
        return {
            "reason": reason,
            "exit_code": code if code >= 0 else None,
            "signal": -code if code < 0 else None,
            "detail": "",
            "lived_s": round(time.monotonic() - self._began_s, 3),
            "ended_at_s": round(time.time(), 3),
            "memory_bytes": self._bytes_over or None,
            "dropped_log_bytes": self._log.dropped_bytes,
            "tail": liferecord.last_lines(self._log.tail),
        }


def main() -> int:
    """Run the shim: order in, report out, then own the child. Return the child's exit code."""
    # Whatever the one who started us failed to close is not for the child.
    os.closerange(3, 4096)
    order = unpack(_read_order())
    os.setsid()
    family.become_subreaper()
    signal_fd = signals.listen()
    output_fd, child_fd = os.pipe()
    os.set_blocking(output_fd, False)
    rests = _widen(output_fd)
    try:
        pid = child.start(order, child_fd)
    except child.ChildNotStarted as error:
        liferecord.write(order.end_path, _identity(0) | _not_started(str(error)))
        _report(f"failed {error}")
        return 127
    os.close(child_fd)
    identity = _identity(pid)
    liferecord.write(order.end_path, identity | {"reason": "running", "boot_id": family.boot_id()})
    if not _report(f"running {pid} {identity['started_s']} {identity['shim_started_s']}"):
        # The one who asked died before it could learn of the child: nobody would ever use it.
        os.killpg(pid, signals.KILL)
    order.env.clear()
    end = Shim(order, pid=pid, output_fd=output_fd, signal_fd=signal_fd, rests=rests).own()
    liferecord.write(order.end_path, identity | end)
    code, number = end["exit_code"], end["signal"]
    return code if isinstance(code, int) else 128 + int(str(number))


def _read_order() -> bytes:
    pieces, size = [], 0
    while piece := os.read(_ORDER_FD, CHUNK_BYTES):
        pieces.append(piece)
        size += len(piece)
        if size > ORDER_BYTES_MAX:
            break
    return b"".join(pieces)


def _widen(pipe_fd: int) -> bool:
    """Have a pipe hold ``PIPE_BYTES``; return False where that can't be."""
    try:
        fcntl.fcntl(pipe_fd, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    except (AttributeError, OSError):
        # Not Linux, or this user's pipes have as much as they may.
        return False
    return True


def _report(line: str) -> bool:
    """Say one line to who started us, then let go of them; False if they are gone."""
    try:
        os.write(_ORDER_FD, os.fsencode(line) + b"\n")
    except OSError:
        return False
    finally:
        null = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)
        os.close(null)
    return True


def _identity(pid: int) -> dict[str, object]:
    shim = os.getpid()
    return {
        "pid": pid,
        # Where there is no /proc, a process that began just now began at this wall time.
        "started_s": family.started_s(pid) or round(time.time(), 2),
        "shim_pid": shim,
        "shim_started_s": family.started_s(shim) or round(time.time(), 2),
    }


def _not_started(sentence: str) -> dict[str, object]:
    return {
        "reason": "spawn_failed",
        "exit_code": None,
        "signal": None,
        "detail": sentence,
        "lived_s": 0.0,
        "ended_at_s": round(time.time(), 3),
        "memory_bytes": None,
        "dropped_log_bytes": 0,
        "tail": [],
    }


def _kill(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        # Gone by itself, or it became another user: the bound takes care of the latter.
        return
