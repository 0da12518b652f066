"""Sharing what circuits found out: between processes of one host, or through a store.

A circuit works alone, and always may. Sharing adds two things: a transition is told, and what
others told is looked at now and then, before a call. Whatever goes wrong there, the circuit goes
on alone: a store that is away rejects nobody and holds up nobody.
"""

from typing import Protocol

from mainstay.core.breakers import Told
from mainstay.service.outbound.breaker.circuit import Change, Circuit, State

EVERY_S = 0.05
"""So often a policy looks at what others told: a circuit that opens elsewhere is open here soon."""


class SharedBreakerState(Protocol):
    """Where circuits of one dependency tell each other.

    Neither method raises or waits: a store over a network answers with what it heard last, and
    takes what it is told to a queue of its own.
    """

    def read(self) -> Told | None:
        """Return what was told last, or None: nothing, or nobody knows."""
        ...

    def write(self, open_until_s: float | None) -> Told | None:
        """Tell; return it as ``read`` will, or None where nobody could be told."""
        ...


class BreakerStore(Protocol):
    """Where circuits of many dependencies tell each other."""

    def of(self, name: str) -> SharedBreakerState:
        """Return the circuit of that name: the same for all who ask for it.

        Raises:
            PolicyMisused: There are too many, or the name is none.
        """
        ...


class Share:
    """The share of one policy. Used by its calls, from any thread."""

    __slots__ = ("_look_s", "_seen", "_state")

    def __init__(self, state: SharedBreakerState) -> None:
        self._state = state
        self._seen: int | None = None
        self._look_s = float("-inf")

    def look(self, circuit: Circuit, now_s: float) -> Change | None:
        """Take over what others told since the last look; return the transition it made.

        Two threads that look at once take over the same thing, of which the second changes
        nothing.
        """
        if now_s < self._look_s:
            return None
        self._look_s = now_s + EVERY_S
        told = self._state.read()
        if told is None or told.serial == self._seen:
            return None
        self._seen = told.serial
        until_s = told.open_until_s
        if until_s is not None and until_s > now_s + float(circuit.options.open_max):
            # No circuit opens for so long: it was told before the machine was started anew.
            return None
        return circuit.adopt(open_until_s=until_s, now_s=now_s)

    def begin(self, circuit: Circuit) -> None:
        """Tell of a circuit that is open already, having been alone until now."""
        if circuit.state is State.OPEN:
            self.tell(circuit)

    def tell(self, circuit: Circuit) -> None:
        """Tell others of a transition."""
        if circuit.state is State.HALF_OPEN:
            return
        told = self._state.write(circuit.opened_until_s())
        if told is not None:
            self._seen = told.serial
