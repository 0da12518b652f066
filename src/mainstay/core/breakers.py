"""What processes tell each other of a circuit: the word that policies and stores have in common."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What was told last about a circuit.

    Attributes:
        serial: Another one means that something new was told.
        open_until_s: Monotonic seconds of this host; None: it closed.
    """

    serial: int
    open_until_s: float | None
