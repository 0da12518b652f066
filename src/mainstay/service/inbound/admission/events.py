"""What admission tells. Each refusal is told by the shell; these say why there are any."""

from dataclasses import dataclass

from mainstay.core.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitChanged(Event):
    """The limit differs by a tenth or more from what was last told.

    Attributes:
        limit: Requests that may now be in flight.
        before: As last told.
        reason: ``latency``: it rose. ``cpu``, ``loop-lag``: it rose, and the second opinion says
            that there is nothing left to give. ``room``: it did not rise, and more is asked for.
        latency_s: Mean of the last window, until the answer began.
        baseline_s: What it is with little in flight.
    """

    limit: int
    before: int
    reason: str
    latency_s: float
    baseline_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OverloadBegan(Event):
    """Somebody has waited at every moment of ``inbound.shed.wait``: the newest goes first now.

    Attributes:
        limit: Requests that may be in flight.
        waiting: How many wait.
    """

    limit: int
    waiting: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OverloadEnded(Event):
    """Nobody waits any more.

    Attributes:
        duration_s: Since it began.
        refused: Requests turned away in this time.
    """

    duration_s: float
    refused: int
