"""Drain: unready at once, serve on while the proxy moves away, finish what is in flight, stop.

``phase_at`` decides, ``Drain`` counts; ``stop.py`` acts on both when a signal comes. The order of
the way out: unready, edge away, in flight, background work, then clients, pools, telemetry.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import wait
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from mainstay.core.clock import Clock
from mainstay.core.complaint import complain
from mainstay.core.events import Event, Listeners
from mainstay.service.inbound.stopping.background import Background
from mainstay.service.inbound.stopping.closers import Closers

GRACE_S = 1.0
"""After the bound, what is left has this long to close; then the process ends."""

_CLOSING_MIN_S = GRACE_S / 2
"""Closers have what is left of the bound, and this much of the grace where nothing is left."""

_LAST_SHARE_S = GRACE_S / 4

_SPREAD_SHARE = 0.1
"""Websockets are sent away over this share of the bound: their clients all come back at once, and
those that are left should see a ramp and not a wall."""


class Phase(Enum):
    """Where a process is on its way out."""

    SERVING = "serving"
    LINGERING = "lingering"  # Unready, and serving as ever: the proxy is moving away.
    FINISHING = "finishing"  # Only what had begun is waited for.
    STOPPED = "stopped"  # Everything is answered, or the bound is reached: the server may stop.


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainBegan(Event):
    """The process was asked to stop; ``in_flight`` requests are being answered."""

    in_flight: int


class Dismissible(Protocol):
    """A websocket, as the drain sees it."""

    def dismiss(self, after_s: float) -> None:
        """Ask it to end in so many seconds; any thread may."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainEnded(Event):
    """The server may stop; ``cut`` requests were still in flight when the bound was reached."""

    cut: int


def phase_at(*, waited_s: float | None, pending: int, delay_s: float, bound_s: float) -> Phase:
    """Return the phase of a drain.

    Args:
        waited_s: Seconds since it began; None before that.
        pending: Requests that had begun before the delay was over and are not answered yet.
        delay_s: How long to serve as ever, although unready.
        bound_s: How long after the delay requests may take to finish.
    """
    if waited_s is None:
        return Phase.SERVING
    if waited_s < delay_s:
        return Phase.LINGERING
    if pending and waited_s < delay_s + bound_s:
        return Phase.FINISHING
    return Phase.STOPPED


class Drain:
    """What is in flight, and whether the process is on its way out. Shared by all shells.

    ``flights`` holds one object for each request, from its first byte to the end of its body or
    of its websocket. Adding to and discarding from a set are atomic, so that threads and loops
    need no lock on the way of every request.

    Args:
        delay_s: ``inbound.drain_delay``.
        bound_s: ``inbound.drain``.
        clock: Measures both.
        events: Told when the drain begins and ends.
        complain: Writes a text to stderr; must not raise.

    Attributes:
        flights: Described above.
        sockets: The websockets among them.
        dismissed: Whether websockets have to end.
        background: Work that no request waits for.
        closers: What is closed in the end.
        started: Whether the app has.
        stopping: Whether the process is on its way out.
        managed: True where serve.py handles the signals, so that a shell must not.
        on_start: Called when the app has started, if its server tells of that; must not raise.
        on_cut: Called with each request that the end of the process cuts off; must not raise.
    """

    __slots__ = ("_begun_s", "_clock", "_complain", "_events", "background", "bound_s",
                 "closers", "delay_s", "dismissed", "flights", "managed", "on_cut", "on_start",
                 "sockets", "started", "stopping")  # fmt: skip

    def __init__(
        self,
        *,
        delay_s: float,
        bound_s: float,
        clock: Clock,
        events: Listeners,
        complain: Callable[[str], object] = complain,
    ) -> None:
        self.delay_s = delay_s
        self.bound_s = bound_s
        self.flights: set[object] = set()
        self.sockets: set[Dismissible] = set()
        self.background = Background(clock=clock, events=events, complain=complain)
        self.closers = Closers(clock=clock, events=events, complain=complain)
        self.started = False
        self.stopping = False
        self.dismissed = False
        self.managed = False
        self.on_start: Callable[[], object] | None = None
        self.on_cut: Callable[[object], object] | None = None
        self._begun_s: float | None = None
        self._clock = clock
        self._events = events
        self._complain = complain

    def start(self) -> None:
        """Note that the app has started."""
        self.started = True
        if self.on_start is not None:
            self.on_start()

    def begin(self) -> bool:
        """Turn unready; return False if that had happened before. Safe in a signal handler.

        The time counts from the latest call: whoever turned unready early, by hand, still has the
        whole bound when the signal comes.
        """
        first = not self.stopping
        self._begun_s = self._clock.monotonic_s()
        self.stopping = True
        return first

    def announce_begin(self) -> None:
        """Tell listeners that the drain began; a signal handler is no place for listeners."""
        self._events.emit(DrainBegan(at_s=self._clock.wall_s(), in_flight=len(self.flights)))

    def announce_end(self, cut: int) -> None:
        """Tell listeners that the server may stop."""
        self._events.emit(DrainEnded(at_s=self._clock.wall_s(), cut=cut))

    def waited_s(self) -> float | None:
        """Return the seconds since the drain began; None before that."""
        begun_s = self._begun_s
        return None if begun_s is None else self._clock.monotonic_s() - begun_s

    def phase(self, pending: int) -> Phase:
        """Return the phase now; ``pending`` as in ``phase_at``."""
        return phase_at(
            waited_s=self.waited_s(), pending=pending, delay_s=self.delay_s, bound_s=self.bound_s
        )

    def left_s(self) -> float:
        """Return the seconds until the bound; all of it where the server stops by itself."""
        waited_s = self.waited_s()
        return self.bound_s if waited_s is None else max(0.0, self._end_s() - waited_s)

    def _end_s(self) -> float:
        return self.delay_s + self.bound_s

    def dismiss(self) -> None:
        """Ask every websocket to end, one after another; those that come later end at once."""
        self.dismissed = True
        # The copy is one step of C, so that loops may add and discard meanwhile.
        sockets = list(self.sockets)
        spread_s = self.bound_s * _SPREAD_SHARE / max(1, len(sockets))
        for number, socket in enumerate(sockets):
            socket.dismiss(number * spread_s)

    def finish(self) -> None:
        """Wait for the background, then close everything. Blocks until the bound at most."""
        self._tell_cut(self.background.finish(self.left_s()))
        self.close()

    async def finish_background(self) -> None:
        """Wait for the background until the bound, without blocking the event loop."""
        self._tell_cut(await self.background.finish_async(self.left_s()))

    def close(self) -> None:
        """Close everything, once; returns within the bound and its grace."""
        self.closers.run(max(self.left_s(), _CLOSING_MIN_S))

    async def close_async(self) -> None:
        """Do what ``close`` does, without blocking the event loop."""
        await self.closers.run_async(max(self.left_s(), _CLOSING_MIN_S))

    def close_at_last(self) -> None:
        """Close everything in the place of a server that does not stop, in half the grace.

        On the app's loop if it still answers, since that is where its clients live; else here.
        """
        loop = self.background.loop
        if loop is not None and loop.is_running():
            closing = self.closers.run_async(_LAST_SHARE_S)
            wait([asyncio.run_coroutine_threadsafe(closing, loop)], timeout=_LAST_SHARE_S)
        self.closers.run(_LAST_SHARE_S)

    def cut(self) -> int:
        """Tell of each request that the end of the process cuts off, and return how many."""
        # The copy is one step of C, so that loops and threads may discard meanwhile.
        flights = list(self.flights)
        if self.on_cut is not None:
            for flight in flights:
                self.on_cut(flight)
        return len(flights)

    def _tell_cut(self, cut: int) -> None:
        if cut:
            self._complain(f"mainstay: the drain's bound cut off {cut} pieces of background work\n")
