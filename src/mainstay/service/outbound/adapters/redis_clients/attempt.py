"""One call of a Redis client through its policy: which policy, and how its end is understood."""

import math
from collections.abc import Callable, Hashable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from mainstay.core.errors import MainstayError
from mainstay.service.outbound.adapters.asked import KEPT_BYTES_MAX, Asked, answering
from mainstay.service.outbound.adapters.errors import ConnectFailed, ConnectionLost, also
from mainstay.service.outbound.adapters.held import (
    bulkhead_of,
    unanswered,
    unhurried,
    within_place,
)
from mainstay.service.outbound.adapters.outcome import (
    Answered,
    NotServed,
    allowed_s,
    opened,
    timed_out,
)
from mainstay.service.outbound.adapters.place import Lost, Place
from mainstay.service.outbound.adapters.redis_clients.commands import (
    Command,
    may_be_stood_in_for,
    may_repeat,
    may_repeat_all,
    own_wait_s,
)
from mainstay.service.outbound.adapters.redis_clients.kept import size_of
from mainstay.service.outbound.adapters.redis_clients.library import Library
from mainstay.service.outbound.adapters.telling import QUIET, Telling
from mainstay.service.outbound.plan import Plan
from mainstay.service.outbound.policy import Policy

OWN_WAIT_S: ContextVar[float] = ContextVar("mainstay_redis_own_wait_s", default=0.0)
"""How long the present command waits for data by itself; connections add it to their bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How long one thing may take, in seconds; never longer than what is left.

    Attributes:
        connect_s: To open a connection.
        read_s: Until an answer is there.
    """

    connect_s: float
    read_s: float

    def answer_s(self) -> float:
        """Return how long the present command may take to answer."""
        return allowed_s(self.read_s + OWN_WAIT_S.get())


class Gate:
    """What the commands, pipelines and connections of one client share.

    Args:
        policy: With a bulkhead.
        library: The client's.
        bounds: Of its connections.

    Attributes:
        reading: The policy for what a fallback may answer. All others have none: a lock that was
            not taken and a watch that nobody keeps must not look like theirs.
        again: The one for what else may be sent twice.
        once: The one for what may not.
        waiting: The one for commands that wait by themselves.
        held: The one for who holds a connection already.
        encode: From an argument to what is sent; set when the client is made. Any: the library's.

    Raises:
        PolicyMisused: The policy has no bulkhead.
    """

    __slots__ = ("_lost", "again", "bounds", "encode", "held", "library", "once", "reading",
                 "waiting")  # fmt: skip

    encode: Callable[[Any], Any]

    def __init__(self, policy: Policy, library: Library, bounds: Bounds) -> None:
        bulkhead_of(policy, "a Redis client")
        self._lost = Lost()
        self.library = library
        self.bounds = bounds
        self.reading = answering(policy, self._question_of)
        self.again = unanswered(policy)
        self.once = self.again.once
        self.waiting = unhurried(self.again)
        self.held = within_place(policy)

    def policy_for(self, command: Command) -> Policy:
        """Return the policy for one command."""
        if may_be_stood_in_for(command):
            return self.reading
        if may_repeat(command):
            return self.again
        return self.waiting if own_wait_s(command) else self.once

    def policy_for_all(self, commands: list[Command]) -> Policy:
        """Return the policy for commands that are sent together."""
        return self.again if may_repeat_all(commands) else self.once

    def asking(
        self, policy: Policy, attempt: Callable[..., Any], options: dict[str, Any]
    ) -> Asked | None:
        """Return the attempt by what it asks, where last good answers are kept; else None.

        Args:
            policy: Of those above.
            attempt: Makes one. Any: as in the client.
            options: How the client reads the answer; ``keys`` says again what the command does.
        """
        if policy.plan.last_good is None:
            return None
        return Asked(attempt, tuple(one for one in options.items() if one[0] != "keys"))

    def seen(self, asked: Asked | None, answer: Any) -> Any:
        """Return what an attempt answered, after saying whether it is to be kept.

        Any: it is the client's. An error is not kept, nor what is large.
        """
        if asked is not None and asked.what is not None and size_of(answer) > KEPT_BYTES_MAX:
            asked.what = None
        return answer

    def shown(self, asked: Asked | None, answer: Any) -> Any:
        """Return what the caller gets. Any: the client's, or what a fallback says.

        Raises:
            Exception: The client's own, for what the server answered.
        """
        if asked is not None:
            asked.done()
        return opened(answer)

    def _question_of(self, *command: Any) -> Hashable:
        """Return a command as it is sent: 1 and 1.0 are equal, and two keys.

        Raises:
            TypeError: It can't be sent, which the client itself will say, or it is too long: the
                answer is not to be kept.
        """
        try:
            parts = tuple(bytes(self.encode(part)) for part in command)
        except (self.library.any_error, ValueError) as error:
            raise TypeError("a command that can't be sent") from error
        if sum(map(len, parts)) > KEPT_BYTES_MAX:
            raise TypeError("a command that is too long")
        return parts

    def now(self) -> float:
        """Return the monotonic time by the policy's clock."""
        return self.again.plan.now()

    def telling(self, command: Command) -> Telling:
        """Return what tells of one attempt to send a command, or what was collected."""
        plan = self.again.plan
        if not plan.events.calls:
            return QUIET
        return Telling(plan, "redis", str(command[0]).upper() if command else "PIPELINE")

    def place(self) -> Place:
        """Return a place for a connection that is held beyond the call which opened it."""
        self._lost.give_back()
        slots = self.again.plan.slots
        assert slots is not None, "required of the policy"
        return Place(slots, self._lost)

    def ended(self, error: Exception, plan: Plan, began_s: float) -> Answered:
        """Return what the client raised, where it is an answer; else raise it in our words.

        Args:
            error: The client's.
            plan: The call's.
            began_s: When the attempt began.

        Raises:
            MainstayError: The dependency failed.
            Exception: ``error`` itself, where it isn't one of the client library's.
        """
        library = self.library
        told: BaseException = error
        if isinstance(error, library.watch) and error.__context__ is not None:
            # A lost connection loses its watches, and the client says no more than that.
            told = error.__context__
        unsent = getattr(told, "never_sent", False) is True
        if isinstance(told, library.not_now):
            raise NotServed(plan.name) from error
        if isinstance(told, library.timeout):
            after_s = self.bounds.connect_s if unsent else self.bounds.read_s
            raise timed_out(plan, began_s=began_s, after_s=after_s, begun=not unsent) from error
        if isinstance(told, library.lost) and not isinstance(told, library.refused):
            raise (ConnectFailed if unsent else ConnectionLost)(plan.name) from error
        if isinstance(error, library.any_error):
            return Answered(error)
        raise error

    def theirs(self, error: MainstayError) -> MainstayError:
        """Return the error as one of the client library's too, of the nearest kind."""
        kind = self.library.timeout if isinstance(error, TimeoutError) else self.library.lost
        # What the library sets on its own, which its `repr` relies on.
        return also(error, kind, **vars(kind()))


class Parts:
    """What a client makes beside sending commands: the same in both kinds.

    Attributes:
        gate: Set when the client is made.
        pipeline_class: Of its pipelines.
        listener: The bare client whose connections listen to channels for as long as they like.
    """

    gate: Gate
    pipeline_class: type[Any]
    listener: Any

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Any:  # noqa: FBT001, FBT002  The library's form.
        """Return a pipeline: all that it sends together is one call."""
        pool, callbacks = self.connection_pool, self.response_callbacks  # type: ignore[attr-defined]  # The library's.
        made = self.pipeline_class(pool, callbacks, transaction, shard_hint)
        made.gate = self.gate
        return made

    def pubsub(self, **options: Any) -> Any:
        """Return a subscriber. It waits for messages, so no policy is between."""
        return self.listener.pubsub(**options)


def finite(wait_s: float) -> float | None:
    """Return ``wait_s`` as sockets take it: None where it is infinite."""
    return None if wait_s == math.inf else wait_s


Arguments = tuple[Any, ...]
"""Of a client's method. Any: they are the client's, and handed on."""
