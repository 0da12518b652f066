"""The synchronous client, pipeline and connection: mixed into the library's own classes.

A thread can't be interrupted, so each read is bounded on the socket by what is left.
"""

from functools import partial
from typing import Any

from mainstay.core.errors import MainstayError
from mainstay.service.outbound.adapters.outcome import allowed_s
from mainstay.service.outbound.adapters.place import Place
from mainstay.service.outbound.adapters.redis_clients.attempt import (
    OWN_WAIT_S,
    Arguments,
    Bounds,
    Gate,
    Parts,
    finite,
)
from mainstay.service.outbound.adapters.redis_clients.commands import own_wait_s
from mainstay.service.outbound.policy import Policy

_LEAST_S = 0.001
"""A socket's timeout of 0 would mean: don't wait at all, which is another kind of error."""


class PolicyCommands(Parts):
    """Sends each command through the policy."""

    # Any: commands, their options and their answers are the client's.
    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send a command and return its answer."""
        policy, wait_s = self.gate.policy_for(args), own_wait_s(args)
        send = super().execute_command  # type: ignore[misc]  # The library's class comes next.
        token = OWN_WAIT_S.set(wait_s) if wait_s else None
        try:
            return _through(policy, self.gate, send, args, options)
        finally:
            if token is not None:
                OWN_WAIT_S.reset(token)

    def close(self) -> None:
        """Close all connections."""
        self.listener.close()
        super().close()  # type: ignore[misc]  # As above.


class PolicyPipeline:
    """Sends what was collected through the policy, as one call.

    From a WATCH to the end, a pipeline holds its connection, and its place in the bulkhead with
    it. What it does there is tried once: a new connection would watch nothing.
    """

    gate: Gate
    command_stack: list[Any]
    _place: Place | None = None
    _sending: bool = False

    def immediate_execute_command(self, *args: Any, **options: Any) -> Any:
        """Send one command at once, while keys are watched."""
        send = super().immediate_execute_command  # type: ignore[misc]  # The library's class comes next.
        if self._sending:
            return send(*args, **options)
        if self._place is not None:
            return _through(self.gate.held, self.gate, send, args, options)
        try:
            return _through(self.gate.once, self.gate, partial(self._hold, send), args, options)
        finally:
            if self._place is None:
                self.reset()

    def execute(self, raise_on_error: bool = True) -> Any:  # noqa: FBT001, FBT002  The library's form.
        """Send all that was collected."""
        commands = [entry[0] for entry in self.command_stack]
        policy = self.gate.held if self._place else self.gate.policy_for_all(commands)
        state = (self.command_stack, self.scripts, self.explicit_transaction)  # type: ignore[has-type]  # The library's.
        send = super().execute  # type: ignore[misc]  # As above.

        def attempt() -> Any:
            # The library forgets what it sent, whether or not it arrived.
            self.command_stack, self.scripts, self.explicit_transaction = state
            self._sending = True
            try:
                return send(raise_on_error)
            finally:
                self._sending = False

        return _through(policy, self.gate, attempt, (), {})

    def reset(self) -> None:
        """Forget what was collected, and give connection and place back."""
        super().reset()  # type: ignore[misc]  # As above.
        place, self._place = self._place, None
        if place is not None:
            place.give_back()

    def _hold(self, send: Any, *args: Any, **options: Any) -> Any:
        answer = send(*args, **options)
        self._place = self.gate.place()
        return answer


class BoundedConnection:
    """A connection each of whose waits is bounded.

    Attributes:
        bounds: How long they may be.
        errors: The root of the library's errors.
    """

    bounds: Bounds
    errors: type[Exception]
    _sock: Any

    def connect(self) -> None:
        """Open the connection, if it isn't open; what fails here was never sent."""
        if self._sock is not None:
            return
        self.socket_connect_timeout = max(_LEAST_S, allowed_s(self.bounds.connect_s))
        self.socket_timeout = max(_LEAST_S, allowed_s(self.bounds.connect_s))
        try:
            super().connect()  # type: ignore[misc]  # The library's class comes next.
        except self.errors as error:
            vars(error)["never_sent"] = True
            raise

    def send_packed_command(self, command: Any, check_health: bool = True) -> None:  # noqa: FBT001, FBT002  The library's form.
        """Send bytes."""
        if self._sock is None:
            self.connect()
        self._bound()
        super().send_packed_command(command, check_health)  # type: ignore[misc]  # As above.

    def read_response(self, *args: Any, **options: Any) -> Any:
        """Read one answer."""
        self._bound()
        return super().read_response(*args, **options)  # type: ignore[misc]  # As above.

    def _bound(self) -> None:
        if self._sock is not None:
            self._sock.settimeout(finite(max(_LEAST_S, self.bounds.answer_s())))


def _through(
    policy: Policy, gate: Gate, send: Any, args: Arguments, options: dict[str, Any]
) -> Any:
    """Return the answer of ``send`` through the policy. Any: as in the client.

    Raises:
        CallRejected: A part of the policy rejected it: nothing was sent.
        DeadlineExceeded: It was not done by its deadline.
        AttemptTimedOut: The last attempt took too long.
        ConnectFailed: No connection could be opened.
        ConnectionLost: The connection broke.
        NotServed: The server is there, and can't do it now.
        Exception: The client's own, for what the server answered.
    """

    def attempt(*_command: Any) -> Any:
        began_s = gate.now()
        with gate.telling(args) as told:
            try:
                return gate.seen(asked, send(*args, **options))
            except gate.library.any_error as error:
                told.error = type(error).__name__
                return gate.seen(asked, gate.ended(error, policy.plan, began_s))

    asked = gate.asking(policy, attempt, options)
    try:
        return gate.shown(asked, policy.call(asked or attempt, *args))
    except MainstayError as error:
        raise gate.theirs(error) from error.__cause__
