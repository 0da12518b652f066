"""A stream: it passes the policy when it begins, holds its place, and is counted when it ends."""

from typing import Any, Protocol

from mainstay.service.outbound.adapters.grpc_clients.call import Details, GrpcGate
from mainstay.service.outbound.adapters.grpc_clients.status import TIMED_OUT
from mainstay.service.outbound.course import admit, tell_change


class StreamEnd(Protocol):
    """What a stream ended with: a call of gRPC, or what is known of one."""

    # Any: gRPC ships no types.
    def code(self) -> Any:
        """Return the status code."""
        ...

    def details(self) -> str | None:
        """Return what the server, or gRPC's core, says about it."""
        ...

    def initial_metadata(self) -> Any:
        """Return pairs of names and values, or None."""
        ...

    def trailing_metadata(self) -> Any:
        """Return pairs of names and values, or None."""
        ...


class _State:
    """What gRPC keeps of a synchronous call, in the form of one.

    Args:
        state: The call's own. It does not hold the call.
    """

    __slots__ = ("_state",)

    def __init__(self, state: Any) -> None:
        self._state = state

    def code(self) -> Any:
        """Return the status code."""
        return self._state.code

    def details(self) -> str | None:
        """Return what was said about it."""
        text: str | None = self._state.details
        return text

    def initial_metadata(self) -> Any:
        """Return pairs of names and values."""
        return self._state.initial_metadata

    def trailing_metadata(self) -> Any:
        """Return pairs of names and values."""
        return self._state.trailing_metadata


def end_of(call: Any) -> StreamEnd:
    """Return where the end of a synchronous call can be seen without holding the call.

    gRPC ends a call that nobody holds. One that waits for the end of a call and holds it would
    hold it for ever.
    """
    state = getattr(call, "_state", None)
    if all(hasattr(state, name) for name in ("code", "details", "trailing_metadata")):
        return _State(state)
    end: StreamEnd = call
    return end


class Stream:
    """One stream, from its beginning to its end. Make it within the call, which gives a place.

    Nothing of it can be repeated: what was sent is gone, and what came was seen.

    Args:
        gate: The channel's.
        details: What it is sent with.
        own_s: The time that the call itself allows, or None.

    Raises:
        CircuitOpen: The dependency fails.
    """

    __slots__ = ("_began_s", "_circuit", "_details", "_gate", "_own_s", "_permit", "_place")

    def __init__(self, gate: GrpcGate, details: Details, own_s: float | None) -> None:
        plan = gate.policy.plan
        self._circuit = plan.circuit
        self._permit = 0
        if self._circuit is not None:
            self._permit = self._circuit.closed or admit(plan)
        self._gate = gate
        self._details = details
        self._own_s = own_s
        self._began_s = plan.now()
        self._place = gate.place()

    def dropped(self) -> None:
        """Give everything back: it says nothing about the dependency."""
        self._place.give_back()
        if self._circuit is not None:
            self._circuit.released(self._permit)

    def ended(self, outcome: StreamEnd) -> None:
        """Count the end, and give everything back."""
        circuit, plan = self._circuit, self._gate.policy.plan
        if circuit is not None and not self._says_nothing(outcome.code().name):
            now_s = plan.now()
            took_s = now_s - self._began_s
            count = circuit.failed if self._failed(outcome) else circuit.succeeded
            tell_change(plan, count(self._permit, now_s=now_s, took_s=took_s))
        self.dropped()

    def _says_nothing(self, code: str) -> bool:
        """Return whether the caller ended it: by a cancellation, or as its deadline was sooner."""
        return code == "CANCELLED" or (code == TIMED_OUT and self._own_s != self._details.timeout)

    def _failed(self, outcome: StreamEnd) -> bool:
        failure = self._gate.failure(outcome, self._details, self._began_s)
        return failure is not None and self._gate.policy.plan.fails(failure)
