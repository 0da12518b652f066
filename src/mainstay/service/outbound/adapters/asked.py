"""What a call asks, so that a last good answer is found again by the next call that asks the same.

A client makes a new function for each call, so its last good answers would never be found.
"""

from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Any

from mainstay.service.outbound.adapters.headers import DEADLINE_HEADER
from mainstay.service.outbound.adapters.outcome import judging_results
from mainstay.service.outbound.fallback import KeyOf, LastGood, Question, arguments_key
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

    What judges results is shown those that the client knows.

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
        plan = judging_results(plan)
        fallback = plan.fallback
        if fallback is None or not fallback.last_good:
            return plan
        if fallback.key is arguments_key:
            fallback = replace(fallback, key=self._question_of)
        if self._kept is None:
            self._kept = LastGood(fallback, _packed)
        else:
            self._kept.reconfigure(fallback)
        return with_fallback(plan, fallback, self._kept)


class Asked:
    """A function that equals another one which asks the same.

    Args:
        send: Makes one attempt. Any: it is the client's.
        what: What is asked; None: the answer is not to be kept.
        packing: Makes of what an attempt returned what is kept of it, or raises TypeError where
            nothing is to be; None: all of it. Any: they are the client's.

    Attributes:
        what: As given. Set to None where the answer turns out to be one that is not to be kept.
    """

    __slots__ = ("_packing", "_send", "what")

    def __init__(
        self,
        send: Callable[..., Any],
        what: Hashable | None,
        packing: Callable[[Any], Any] | None = None,
    ) -> None:
        self._send: Callable[..., Any] | None = send
        self._packing = packing
        self.what = what

    def __call__(self, *args: Any) -> Any:
        """Make one attempt."""
        assert self._send is not None, "called before the end of its call alone"
        return self._send(*args)

    def packed(self, answer: Any) -> Any:
        """Return what is kept of an answer. Any: it is the client's.

        Raises:
            TypeError: It is not to be kept, which is how a store is told.
        """
        if self.what is None:
            raise TypeError("not to be kept")
        return answer if self._packing is None else self._packing(answer)

    def done(self) -> None:
        """Forget how it is sent: as a key it may live for long."""
        self._send = self._packing = None

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


def _packed(question: Question, answer: Any) -> Any:
    """Return what is kept of an answer, as its call says. Any: it is the client's.

    Raises:
        TypeError: It is not to be kept.
    """
    asked = question[0]
    if not isinstance(asked, Asked):
        raise TypeError("nothing was kept when this call began")
    return asked.packed(answer)
