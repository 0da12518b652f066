"""A snapshot of admission, for people, tests and dashboards."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionStats:
    """What admission holds at one moment.

    Attributes:
        limit: Requests that may be in flight.
        in_flight: Requests that are.
        waiting: Requests before them.
        refused: Turned away so far, by priority, critical first.
        overloaded: Whether the newest goes first.
        probing: Whether the baseline is being measured, with few in flight.
        latency_s: Mean of the last window, until the answer began; 0 before there is one.
        baseline_s: What it is with little in flight; 0 before it is known.
        cpu: Share of one core that the process used lately; 0 where nobody looked.
        lag_s: How late the event loop was, at worst; 0 where nobody looked.
    """

    limit: int
    in_flight: int
    waiting: int
    refused: tuple[int, ...]
    overloaded: bool
    probing: bool
    latency_s: float
    baseline_s: float
    cpu: float
    lag_s: float
