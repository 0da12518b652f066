"""Acting on SIGTERM: a thread of its own waits out the drain, so that even a blocked loop ends."""

import asyncio
import functools
import os
import queue
import signal
import threading
from collections.abc import Callable
from types import FrameType

from mainstay.core.complaint import complain
from mainstay.service.inbound.stopping.drain import GRACE_S, Drain, Phase

POLL_S = 0.02


class Stopper:
    """Turns the first signal into a drain and the second into an end.

    Args:
        drain: What is in flight. For a WSGI app that isn't wrapped nothing ever is: its server is
            stopped once ``drain_delay`` is over, and finishes what it has.
        stop_server: Tells the server to take no more and finish; called in the stopper's thread.
        end: Ends the process at once, whatever it is doing (``os._exit``).
        complain: Writes one line to stderr.
        pause: Waits for a moment between two looks; None waits ``POLL_S``.
    """

    def __init__(
        self,
        *,
        drain: Drain,
        stop_server: Callable[[], object],
        end: Callable[[int], object] = os._exit,
        complain: Callable[[str], object] = complain,
        pause: Callable[[], object] | None = None,
    ) -> None:
        self._drain = drain
        self._stop_server = stop_server
        self._end = end
        self._complain = complain
        # SimpleQueue.put may be called in a signal handler; a lock or an Event may not.
        self._asked: queue.SimpleQueue[None] = queue.SimpleQueue()
        # Not the drain's own flag: that may have been begun by hand, without a signal.
        self._signalled = False
        self._called_off = False
        # Nothing sets that event: it is a pause that needs no clock.
        self._pause = pause or functools.partial(threading.Event().wait, POLL_S)

    def start(self) -> None:
        """Start the thread now: a signal handler is no place to start one."""
        threading.Thread(target=self._run, name="mainstay-drain", daemon=True).start()

    def handle(self, signum: int = 0, frame: FrameType | None = None) -> None:
        """Take a signal."""
        del signum, frame
        if self._signalled:
            self._complain("mainstay: asked twice to stop: ending at once\n")
            self._end(0)
            return
        self._signalled = True
        self._drain.begin()
        self._asked.put(None)

    def call_off(self) -> None:
        """Let the thread end and the process be: its server has stopped, and it goes on."""
        self._called_off = True
        self._asked.put(None)

    def _run(self) -> None:
        self._asked.get()
        if self._called_off:
            return
        drain = self._drain
        if not drain.started:
            # Nothing can be in flight, and a start that hangs would not hear that it should stop.
            self._end(0)
            return
        drain.announce_begin()
        cut = self._wait_out()
        drain.announce_end(cut=cut)
        self._stop_server()
        self._wait_for_end()

    def _wait_out(self) -> int:
        """Wait until the server may stop; return how many requests the bound cut off.

        What begins after the delay is not waited for here: the server finishes it by itself once
        it is stopped, and a client that never lets up can't hold the process.
        """
        drain = self._drain
        while drain.phase(pending=0) is Phase.LINGERING:
            self._pause()
        drain.dismiss()
        pending = set(drain.flights)
        while drain.phase(pending=len(pending)) is Phase.FINISHING:
            self._pause()
            pending &= drain.flights
        return len(pending)

    def _wait_for_end(self) -> None:
        """End the process when its server did not: this thread dies with it if it does."""
        drain = self._drain
        bound_s = drain.delay_s + drain.bound_s
        if self._is_called_off(bound_s + GRACE_S / 4):
            return
        drain.close_at_last()
        if self._is_called_off(bound_s + GRACE_S):
            return
        left = drain.cut()
        what = f"cutting off {left} requests in flight" if left else "the server has not stopped"
        self._complain(f"mainstay: the drain's bound of {drain.bound_s:g} s is over: {what}\n")
        self._end(0)

    def _is_called_off(self, last_s: float) -> bool:
        """Wait until so many seconds after the drain began; return whether it was called off."""
        while not self._called_off and (self._drain.waited_s() or 0.0) < last_s:
            self._pause()
        return self._called_off


def chain_sigterm(drain: Drain) -> Callable[[], None]:
    """Drain before a foreign ASGI server sees SIGTERM; return what takes that back.

    For servers that set their handler by ``signal.signal``, as uvicorn does. Where serve.py or
    anything else handles signals, or this is not the main thread, nothing is changed.
    """
    if drain.managed or threading.current_thread() is not threading.main_thread():
        return leave_alone
    previous = signal.getsignal(signal.SIGTERM)
    if previous is None:
        # Set by C code, which Python can't put back.
        return leave_alone
    restore = functools.partial(signal.signal, signal.SIGTERM, previous)
    loop = asyncio.get_running_loop()
    stopper = Stopper(
        drain=drain, stop_server=functools.partial(loop.call_soon_threadsafe, _redeliver, restore)
    )
    stopper.start()
    signal.signal(signal.SIGTERM, stopper.handle)
    return functools.partial(_take_back, stopper, restore)


def _redeliver(restore: Callable[[], object]) -> None:
    restore()
    signal.raise_signal(signal.SIGTERM)


def _take_back(stopper: Stopper, restore: Callable[[], object]) -> None:
    stopper.call_off()
    # Whoever set a handler after us keeps it.
    if signal.getsignal(signal.SIGTERM) == stopper.handle:
        restore()


def leave_alone() -> None:
    """Take back nothing, because nothing was changed."""
