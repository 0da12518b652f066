"""The side of a client that threads use: connections that wait in a pool, opened behind their back.

A call takes a connection and gives it back: two steps that need no lock. Only who finds none waits,
within its bound, for one to be opened or given back. A thread of ours opens them, since looking up
a name has no bound; it ends when nobody waits and the server is not away.
"""

import contextlib
import threading
from collections import deque
from collections.abc import Callable
from random import Random

from mainstay.core.clock import Clock
from mainstay.core.errors import StoreUnavailable
from mainstay.state.valkey.address import Address
from mainstay.state.valkey.bounds import OPEN_S, Bounds
from mainstay.state.valkey.presence import Presence
from mainstay.state.valkey.reasons import (
    CLOSED,
    CROWDED,
    LATE,
    NOT_OPEN,
    broken,
    unreachable,
)  # fmt: skip
from mainstay.state.valkey.resp import ProtocolError
from mainstay.state.valkey.thread_wire import ThreadWire, open_wire
from mainstay.state.valkey.words import Heard

UNCHANGED = ""
"""Nothing to tell."""

STALE_AFTER_S = 1.0
"""A connection that idled for so long is looked at before it is used. In a busy one, the server's
hanging up would be heard as a failed call; looking before each would cost a tenth of a call."""


class ThreadSide:
    """Connections for threads. Shared by them.

    Args:
        address: Of the server.
        bounds: Of calls.
        clock: For bounds.
        rng: For the pauses between attempts.
        tell: Told why callers begin to be sent away, and None when they no longer are.
    """

    def __init__(
        self,
        address: Address,
        bounds: Bounds,
        clock: Clock,
        rng: Random,
        tell: Callable[[str | None], None],
    ) -> None:
        self._address = address
        self._timeout_s = bounds.timeout_s
        self._connections_max = bounds.connections_max
        self._waiters_max = bounds.outstanding_max
        self._clock = clock
        self._now_s = clock.monotonic_s
        self._rng = rng
        self._tell = tell
        # The last one back is the first to go: few callers use few connections.
        self._idle: deque[ThreadWire] = deque()
        # Why callers are sent away; None: they are not. Presence, read without the lock.
        self._refusal: str | None = None
        self._changed = threading.Condition()
        # What follows is changed under the lock.
        self._presence = Presence()
        self._open = 0
        self._opening = 0
        self._pause_s = 0.0
        self._waiters = 0
        self._ended = threading.Event()
        self._opener: threading.Thread | None = None
        self._closed = False

    def ask(self, packed: bytes) -> Heard:
        """Send a command and return its answer, which may be an error's.

        Raises:
            StoreUnavailable: The server is away, or did not answer in time.
        """
        if self._refusal is not None:
            raise self._unavailable(self._refusal, begun=False)
        now_s = self._now_s()
        until_s = now_s + self._timeout_s
        try:
            wire = self._idle.pop()
        except IndexError:
            wire = self._wait(until_s)
            now_s = self._now_s()
        else:
            if now_s - wire.used_s > STALE_AFTER_S and wire.is_stale():
                # The others idle for longer still.
                self._drop(wire)
                self._clear()
                wire = self._wait(until_s)
                now_s = self._now_s()
        try:
            reply = wire.ask(packed, now_s, until_s)
        except TimeoutError as error:
            raise self._lost(wire, LATE) from error
        except (OSError, ProtocolError) as error:
            raise self._lost(wire, broken(error)) from error
        except BaseException:
            # The thread was interrupted in between: the answer would be the next caller's.
            self._drop(wire)
            raise
        self._idle.append(wire)
        # After it was given back: who began to wait before that is seen, others see it.
        if self._waiters or self._closed:
            self._given_back()
        return reply

    def close(self) -> None:
        """Close connections that idle, and others as they come back; send callers away."""
        with self._changed:
            self._closed = True
            self._refusal = CLOSED
            self._changed.notify_all()
        self._ended.set()
        self._clear()

    def forget(self) -> None:
        """Close what a forked child must not use, and start anew; only in that child."""
        # First the lock: a thread that is gone may have held the old one.
        self._changed = threading.Condition()
        self._ended = threading.Event()
        self._clear()
        self._presence = Presence()
        self._open = self._opening = self._waiters = 0
        self._pause_s = 0.0
        self._opener = None
        if not self._closed:
            self._refusal = None

    def _wait(self, until_s: float) -> ThreadWire:
        """Wait for a connection."""
        news = None
        with self._changed:
            if self._waiters >= self._waiters_max:
                raise self._unavailable(CROWDED, begun=False)
            self._waiters += 1
            try:
                while self._refusal is None:
                    with contextlib.suppress(IndexError):
                        return self._idle.pop()
                    self._call_opener()
                    left_s = until_s - self._now_s()
                    if left_s <= 0:
                        if self._open > self._opening:
                            raise self._unavailable("all its connections are busy", begun=False)
                        news = self._send_away(NOT_OPEN)
                        break
                    self._changed.wait(left_s)
                refusal = self._refusal
            finally:
                self._waiters -= 1
        if news is not None:
            self._tell(news)
        raise self._unavailable(str(refusal), begun=False)

    def _given_back(self) -> None:
        if self._closed:
            self._clear()
        with self._changed:
            self._changed.notify()

    def _lost(self, wire: ThreadWire, why: str) -> StoreUnavailable:
        """Give up a connection and those that idle; return what its caller raises.

        Where it ended in peace, callers may wait for another: a server that was started anew, an
        idle connection that was cut. After anything else they are sent away.
        """
        self._drop(wire)
        self._clear()
        news = None
        with self._changed:
            if wire.answered:
                self._presence.proved()
            if not wire.answered or why == LATE:
                news = self._send_away(why)
            if news is not None:
                # Of many that are lost at once, the first alone counts as a failure.
                self._pause_s = self._presence.delay_s(self._rng)
        if news is not None:
            self._tell(news)
        return self._unavailable(why, begun=True)

    def _send_away(self, why: str) -> str | None:
        """Send callers away, under the lock; return the reason where it is news."""
        news = self._presence.send_away(why)
        if not self._call_opener():
            # Nobody would look for the server: let each call try, within its bound.
            self._presence.opened()
            return None
        self._refusal = self._refusal or why
        self._changed.notify_all()
        return why if news else None

    def _clear(self) -> None:
        while True:
            try:
                wire = self._idle.pop()
            except IndexError:
                return
            self._drop(wire)

    def _drop(self, wire: ThreadWire) -> None:
        wire.close()
        with self._changed:
            self._open -= 1

    def _unavailable(self, why: str, *, begun: bool) -> StoreUnavailable:
        return StoreUnavailable(f"{self._address.label}: {why}", begun=begun)

    # The thread that opens connections.

    def _call_opener(self) -> bool:
        """Start it where it does not run, under the lock; return whether it does now."""
        if self._opener is None and self._is_wanted():
            opener = threading.Thread(
                target=self._open_while_wanted, name="mainstay-valkey", daemon=True
            )
            # The system has no thread left, or the interpreter ends.
            with contextlib.suppress(RuntimeError):
                opener.start()
                self._opener = opener
        return self._opener is not None

    def _is_wanted(self) -> bool:
        if self._closed:
            return False
        # While it is away, the one that looks for it is opened whatever else there is.
        away = self._presence.away is not None
        # A waiter that was woken and did not take its connection yet needs no other.
        return away or (len(self._idle) < self._waiters and self._open < self._connections_max)

    def _open_while_wanted(self) -> None:
        ended = self._ended
        while True:
            with self._changed:
                if not self._is_wanted():
                    self._opener = None
                    return
                pause_s, self._pause_s = self._pause_s, 0.0
                if pause_s == 0.0:
                    self._open += 1
                    self._opening = 1
            if pause_s > 0.0:
                ended.wait(pause_s)
                continue
            news = self._attempt()
            if news != UNCHANGED:
                self._tell(news)

    def _attempt(self) -> str | None:
        """Open one; return what to tell of it."""
        try:
            wire = open_wire(self._address, OPEN_S, self._clock)
        except (OSError, ProtocolError) as error:
            with self._changed:
                self._opening = 0
                self._open -= 1
                self._pause_s = self._presence.delay_s(self._rng)
                return self._send_away(unreachable(error)) or UNCHANGED
        self._idle.append(wire)
        with self._changed:
            self._opening = 0
            if not self._closed:
                self._refusal = None
            back = self._presence.opened()
            self._changed.notify_all()
        if self._closed:
            self._clear()
        return None if back else UNCHANGED
