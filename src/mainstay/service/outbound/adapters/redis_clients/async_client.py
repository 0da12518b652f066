"""The asynchronous client, pipeline and connection: mixed into the library's own classes.

A task is interrupted when its time is up, at less cost than the timers of the libraries: an alarm
around each attempt takes the place of a timer for each read and a task for each write.
"""

from functools import partial
from select import POLLIN, poll
from typing import Any

from mainstay.core.deadline import DeadlineRegion
from mainstay.core.errors import DeadlineExceeded, MainstayError
from mainstay.service.outbound.adapters.outcome import timed_out
from mainstay.service.outbound.adapters.place import Place
from mainstay.service.outbound.adapters.redis_clients.attempt import Arguments, Gate, Parts
from mainstay.service.outbound.adapters.redis_clients.commands import own_wait_s
from mainstay.service.outbound.policy import Policy


class AsyncPolicyCommands(Parts):
    """Sends each command through the policy."""

    # Any: commands, their options and their answers are the client's.
    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send a command and return its answer."""
        policy, wait_s = self.gate.policy_for(args), own_wait_s(args)
        send = super().execute_command  # type: ignore[misc]  # The library's class comes next.
        return await _through(policy, self.gate, send, args, options, wait_s)

    async def aclose(self, close_connection_pool: bool | None = None) -> None:  # noqa: FBT001  The library's form.
        """Close all connections."""
        await self.listener.aclose()
        await super().aclose(close_connection_pool)  # type: ignore[misc]  # As above.


class AsyncPolicyPipeline:
    """Sends what was collected through the policy, as one call.

    From a WATCH to the end, a pipeline holds its connection, and its place in the bulkhead with
    it. What it does there is tried once: a new connection would watch nothing.
    """

    gate: Gate
    command_stack: list[Any]
    _place: Place | None = None
    _sending: bool = False

    async def immediate_execute_command(self, *args: Any, **options: Any) -> Any:
        """Send one command at once, while keys are watched."""
        send = super().immediate_execute_command  # type: ignore[misc]  # The library's class comes next.
        if self._sending:
            return await send(*args, **options)
        if self._place is not None:
            return await _through(self.gate.held, self.gate, send, args, options)
        try:
            hold = partial(self._hold, send)
            return await _through(self.gate.once, self.gate, hold, args, options)
        finally:
            if self._place is None:
                await self.reset()

    async def execute(self, raise_on_error: bool = True) -> Any:  # noqa: FBT001, FBT002  The library's form.
        """Send all that was collected."""
        commands = [entry[0] for entry in self.command_stack]
        policy = self.gate.held if self._place else self.gate.policy_for_all(commands)
        state = (self.command_stack, self.scripts, self.explicit_transaction)  # type: ignore[has-type]  # The library's.
        send = super().execute  # type: ignore[misc]  # As above.

        async def attempt() -> Any:
            # The library forgets what it sent, whether or not it arrived.
            self.command_stack, self.scripts, self.explicit_transaction = state
            self._sending = True
            try:
                return await send(raise_on_error)
            finally:
                self._sending = False

        return await _through(policy, self.gate, attempt, (), {})

    async def reset(self) -> None:
        """Forget what was collected, and give connection and place back."""
        try:
            await super().reset()  # type: ignore[misc]  # As above.
        finally:
            place, self._place = self._place, None
            if place is not None:
                place.give_back()

    async def _hold(self, send: Any, *args: Any, **options: Any) -> Any:
        answer = await send(*args, **options)
        self._place = self.gate.place()
        return answer


class AsyncMarkedConnection:
    """A connection that tells what was never sent, and that finds out when it is stale.

    Attributes:
        errors: The root of the library's errors.
    """

    errors: type[Exception]

    async def connect(self) -> None:
        """Open the connection, if it isn't open; what fails here was never sent."""
        try:
            if self.is_connected and self._stale():  # type: ignore[attr-defined]  # The library's.
                await self.disconnect(nowait=True)  # type: ignore[attr-defined]  # The library's.
            await super().connect()  # type: ignore[misc]  # The library's class comes next.
        except self.errors as error:
            vars(error)["never_sent"] = True
            raise

    def _stale(self) -> bool:
        """Return whether there is something to read: nobody asked, so it can only be the end.

        The pool looks too, but sees only what the event loop has read already.
        """
        wire = self._writer.get_extra_info("socket")  # type: ignore[attr-defined]  # The library's.
        if wire is None or wire.fileno() < 0:
            return False
        look = poll()
        look.register(wire.fileno(), POLLIN)
        return bool(look.poll(0))


async def _through(  # noqa: PLR0917  As its twin, and the wait.
    policy: Policy,
    gate: Gate,
    send: Any,
    args: Arguments,
    options: dict[str, Any],
    wait_s: float = 0.0,
) -> Any:
    """Return the answer of ``send`` through the policy. Any: as in the client.

    Args:
        policy: Of those of the gate.
        gate: The client's.
        send: The library's coroutine function.
        args: Its arguments.
        options: As they.
        wait_s: How long the command waits by itself; infinite where it says so.

    Raises:
        CallRejected: A part of the policy rejected it: nothing was sent.
        DeadlineExceeded: It was not done by its deadline.
        AttemptTimedOut: The last attempt took too long.
        ConnectFailed: No connection could be opened.
        ConnectionLost: The connection broke.
        NotServed: The server is there, and can't do it now.
        Exception: The client's own, for what the server answered.
    """
    within_s = gate.bounds.read_s + wait_s

    async def attempt(*_command: Any) -> Any:
        plan, began_s = policy.plan, gate.now()
        with gate.telling(args) as told:
            try:
                async with DeadlineRegion(within_s, plan.clock):
                    return gate.seen(asked, await send(*args, **options))
            except gate.library.any_error as error:
                told.error = type(error).__name__
                return gate.seen(asked, gate.ended(error, plan, began_s))
            except DeadlineExceeded as error:
                raise timed_out(plan, began_s=began_s, after_s=within_s) from error

    asked = gate.asking(policy, attempt, options)
    try:
        return gate.shown(asked, await policy.acall(asked or attempt, *args))
    except MainstayError as error:
        raise gate.theirs(error) from error.__cause__
