"""What a call asks, so that a last good answer is found again by the next call that asks the same.

A client makes a new function for each call, so its last good answers would never be found.
"""

from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Any

from mainstay.service.outbound.adapters.headers import DEADLINE_HEADER
from mainstay.service.outbound.fallback import KeyOf, LastGood, arguments_key
from mainstay.service.outbound.plan import Plan, with_fallback
from mainstay.service.outbound.policy import Policy

KEPT_BYTES_MAX = 65_536
"""A longer answer is not kept: ``last_good`` bounds their number, and this their size."""

OF_ONE_REQUEST = frozenset({"traceparent", "tracestate", "x-request-id", DEADLINE_HEADER})
"""Headers that are new for each request, and say nothing about the answer.

``baggage`` is none of them: it carries tenants and users.
"""


def answering(policy: Policy, question_of: KeyOf) -> Policy:
    """Return the policy of a client, whose last good answers are kept by what is asked for.

    Args:
        policy: Any.
        question_of: From what the client's calls are made with to the key of the answer; a key
            that the user's fallback has goes before it.
    """
    return policy.derived(_Answering(question_of))


class _Answering:
    """Makes the plan of a client from that of its policy, with a store that stays the same."""

    def __init__(self, question_of: KeyOf) -> None:
        self._question_of = question_of
        self._kept: LastGood | None = None

    def __call__(self, plan: Plan) -> Plan:
        fallback = plan.fallback
        if fallback is None or not fallback.last_good:
            return plan
        if fallback.key is arguments_key:
            fallback = replace(fallback, key=self._question_of)
        if self._kept is None:
            self._kept = LastGood(fallback)
        else:
            self._kept.reconfigure(fallback)
        return with_fallback(plan, fallback, self._kept)


class Asked:
    """A function that equals another one which asks the same.

    Args:
        send: Makes one attempt. Any: it is the client's.
        what: What is asked; None: the answer is not to be kept.

    Attributes:
        what: As given. Set to None where the answer turns out to be one that is not to be kept.
    """

    __slots__ = ("_send", "what")

    def __init__(self, send: Callable[..., Any], what: Hashable | None) -> None:
        self._send: Callable[..., Any] | None = send
        self.what = what

    def __call__(self, *args: Any) -> Any:
        """Make one attempt."""
        assert self._send is not None, "called before the end of its call alone"
        return self._send(*args)

    def done(self) -> None:
        """Forget how it is sent: as a key it may live for long."""
        self._send = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Asked) and self.what == other.what

    def __hash__(self) -> int:
        """Return the hash of what is asked.

        Raises:
            TypeError: The answer is not to be kept, which is how a store is told.
        """
        if self.what is None:
            raise TypeError("not to be kept")
        return hash(self.what)
