"""What the calls of a channel share: policies, what is sent along, how ends are understood."""

from typing import Any, NamedTuple

import grpc  # type: ignore[import-untyped]  # It ships no types.

from mainstay.core.deadline import remaining_s
from mainstay.core.errors import MainstayError
from mainstay.core.trace import current_trace
from mainstay.service.outbound.adapters.asked import answering
from mainstay.service.outbound.adapters.errors import ConnectFailed, also
from mainstay.service.outbound.adapters.grpc_clients.answers import (
    Answers,
    UnaryRequest,
    question_of,
    reader_of,
)
from mainstay.service.outbound.adapters.grpc_clients.connectivity import UNKNOWN, Connectivity
from mainstay.service.outbound.adapters.grpc_clients.status import (
    FAILURES,
    PUSHBACK,
    REFUSED,
    TIMED_OUT,
    never_connected,
    pushback_s,
)
from mainstay.service.outbound.adapters.headers import headers_out
from mainstay.service.outbound.adapters.held import bulkhead_of
from mainstay.service.outbound.adapters.outcome import (
    Answered,
    NotServed,
    ServerFailed,
    allowed_s,
    timed_out,
)
from mainstay.service.outbound.adapters.place import Lost, Place
from mainstay.service.outbound.adapters.telling import QUIET, Telling
from mainstay.service.outbound.policy import Policy


class Details(NamedTuple):
    """What one attempt is sent with: the attributes that both kinds of channels look at.

    Attributes:
        connection: The channel's state when the attempt began, which gRPC doesn't look at.
    """

    # Any: gRPC ships no types, so all that is its own is Any in this room.
    method: Any
    timeout: float | None
    metadata: list[tuple[str, Any]]
    credentials: Any
    wait_for_ready: bool | None
    compression: Any
    connection: str


class GrpcGate:
    """The policies of one channel.

    Args:
        policy: With a bulkhead.
        timeout_s: Of a call that says none.
        repeatable: Full names of methods that may be called twice.

    Attributes:
        policy: That one, with last good answers of the channel's own.
        connection: Of the channel. Set when that is made, since it is made with its gate.

    Raises:
        PolicyMisused: The policy has no bulkhead.
    """

    __slots__ = ("_lost", "_repeatable", "_timeout_s", "connection", "policy")

    def __init__(self, policy: Policy, timeout_s: float, repeatable: tuple[str, ...]) -> None:
        bulkhead_of(policy, "a gRPC channel")
        self.policy = answering(policy, question_of)
        self._timeout_s = timeout_s
        self._repeatable = frozenset(repeatable)
        self._lost = Lost()
        self.connection: Connectivity | None = None

    def policy_for(self, details: Any) -> Policy:
        """Return the policy for one call."""
        return self.policy if _name(details.method) in self._repeatable else self.policy.once

    def answers(self, send: Any, details: Any, message: Any) -> Answers:
        """Return one unary call, of which its fallback knows; ``send`` is gRPC's continuation."""
        name = _name(details.method)
        request = UnaryRequest(name, message, tuple(details.metadata or ()), details.credentials)
        plan = self.policy.plan
        kept = plan.last_good is not None and name in self._repeatable
        return Answers(plan, request, reader=reader_of(send) if kept else None)

    def telling(self, details: Any) -> Telling:
        """Return what tells of one attempt."""
        plan = self.policy.plan
        if not plan.events.calls:
            return QUIET
        return Telling(plan, "grpc", "call", target=_name(details.method))

    def outgoing(
        self, details: Any, *, stream: bool = False, span_id: str | None = None
    ) -> Details:
        """Return what an attempt is sent with: its own time or what is left, and the trace.

        Args:
            details: What the call was made with.
            stream: Whether it is one, which without a time of its own only the caller's bounds.
            span_id: The attempt's own, or None.
        """
        metadata = list(details.metadata or ())
        known = {name for name, _ in metadata}
        metadata.extend(headers_out(None, current_trace(), span_id, known).items())
        own_s = details.timeout
        if own_s is None and not stream:
            own_s = self._timeout_s
        return Details(
            details.method,
            remaining_s() if own_s is None else allowed_s(own_s),
            metadata,
            details.credentials,
            details.wait_for_ready,
            getattr(details, "compression", None),
            self._state(),
        )

    def place(self) -> Place:
        """Return a place for a stream, which holds it until its end."""
        self._lost.give_back()
        slots = self.policy.plan.slots
        assert slots is not None, "required of the policy"
        return Place(slots, self._lost)

    def ended(self, error: Any, details: Details, began_s: float) -> Answered:
        """Return what a call ended with, where it is an answer; else raise it in our words.

        Raises:
            MainstayError: The dependency failed.
        """
        failure = self.failure(error, details, began_s)
        if failure is not None:
            raise failure from error
        return Answered(error)

    def failure(self, end: Any, details: Details, began_s: float) -> MainstayError | None:
        """Return how the dependency failed, or None: it answered."""
        plan, code = self.policy.plan, end.code().name
        if code == TIMED_OUT:
            after_s = self._timeout_s if details.timeout is None else details.timeout
            return timed_out(plan, began_s=began_s, after_s=after_s)
        if code == REFUSED:
            return NotServed(plan.name, _pushback_s(end))
        if code in FAILURES:
            return (
                ServerFailed(plan.name, code)
                if self._left(end, details)
                else ConnectFailed(plan.name)
            )
        return None

    def _left(self, end: Any, details: Details) -> bool:
        """Return whether a call that failed may have reached the server; where unsure, it may."""
        # Who waits for a connection is not told that there is none: somebody else said so.
        spoken = bool(details.wait_for_ready or end.initial_metadata() or end.trailing_metadata())
        return not never_connected(
            end.code().name,
            end.details(),
            before=details.connection,
            after=self._state(),
            spoken=spoken,
        )

    def _state(self) -> str:
        return UNKNOWN if self.connection is None else self.connection.state()

    def theirs(self, error: MainstayError) -> MainstayError:
        """Return the error as a ``grpc.RpcError`` too, with the code of the nearest meaning."""
        cause = error.__cause__
        if isinstance(cause, grpc.RpcError):
            code, details = cause.code(), cause.details()
        elif isinstance(error, TimeoutError):
            code, details = grpc.StatusCode.DEADLINE_EXCEEDED, str(error)
        else:
            code, details = grpc.StatusCode.UNAVAILABLE, str(error)
        return also(
            error, grpc.aio.AioRpcError, _code=code, _details=details, _debug_error_string=None
        )


def _name(method: Any) -> str:
    name: str = method.decode("latin-1") if isinstance(method, bytes) else method
    return name


def _pushback_s(error: Any) -> float | None:
    for name, value in error.trailing_metadata() or ():
        if name == PUSHBACK:
            return pushback_s(value)
    # The server does not ask for another attempt: the quota is as empty in a moment.
    return -1.0
