"""The bounds of a client of Valkey."""

from dataclasses import dataclass

from mainstay.core.errors import PolicyMisused

TIMEOUT_S = 0.05
"""Nobody waits longer for a guard's store: the issue's bound."""

OPEN_S = 1.0
"""Until an attempt to open a connection is given up. Nobody waits for it longer than a call's own
bound; it may take longer than a call, since names are looked up and TLS is agreed upon."""

ANSWER_BYTES_MAX = 64 * 1024 * 1024
"""Of what arrived and is no whole answer yet: a server that sends more is not believed."""

_RANGES = {
    "timeout_s": (0.001, 60),
    "outstanding_max": (1, 1_000_000),
    "connections_max": (1, 10_000),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What a client may take.

    Attributes:
        timeout_s: A call's wait, from 1 ms to 60 s.
        outstanding_max: Calls of one event loop that wait for an answer, and threads that wait for
            a connection; more are sent away at once.
        connections_max: Connections for threads; each event loop has one of its own.
    """

    timeout_s: float = TIMEOUT_S
    outstanding_max: int = 1024
    connections_max: int = 64

    def __post_init__(self) -> None:
        for name, (least, most) in _RANGES.items():
            if not least <= getattr(self, name) <= most:
                raise PolicyMisused(f"{name} is from {least:g} to {most:,g}")
