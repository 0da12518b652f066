"""Drain: unready at once, serve on while the proxy moves away, finish what is in flight, stop.

``phase_at`` decides, ``Drain`` counts; ``stop.py`` acts on both when a signal comes.
"""

from dataclasses import dataclass
from enum import Enum

from mainstay.core.clock import Clock
from mainstay.core.events import Event, Listeners


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
    """

    __slots__ = ("_begun_s", "_clock", "_events", "bound_s", "delay_s", "flights", "managed",
                 "started", "stopping")  # fmt: skip

    def __init__(self, *, delay_s: float, bound_s: float, clock: Clock, events: Listeners) -> None:
        self.delay_s = delay_s
        self.bound_s = bound_s
        self.flights: set[object] = set()
        self.started = False
        self.stopping = False
        # True where serve.py handles the signals, so that a shell must not.
        self.managed = False
        self._begun_s: float | None = None
        self._clock = clock
        self._events = events

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
