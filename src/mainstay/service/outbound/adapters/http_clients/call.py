"""One call of an HTTP client through its policy: what all clients decide in the same way."""

import math
import re
from collections.abc import Callable, Container
from contextlib import AbstractContextManager, nullcontext
from typing import Any
from urllib.parse import urlsplit

from mainstay.core.deadline import DeadlineRegion
from mainstay.core.errors import (
    AttemptTimedOut,
    DeadlineExceeded,
    MainstayError,
)
from mainstay.core.scope import CURRENT, expiry_s
from mainstay.core.trace import current_trace
from mainstay.service.outbound.adapters.asked import Asked
from mainstay.service.outbound.adapters.errors import CallUnsendable, ConnectFailed, ConnectionLost
from mainstay.service.outbound.adapters.headers import headers_out
from mainstay.service.outbound.adapters.held import bulkhead_of
from mainstay.service.outbound.adapters.http_clients.events import Reconnected
from mainstay.service.outbound.adapters.http_clients.options import Http
from mainstay.service.outbound.adapters.http_clients.repeatable import may_repeat
from mainstay.service.outbound.adapters.http_clients.stand_in import (
    Request,
    asks_safely,
    is_kept,
    stand_in,
    told_apart,
)
from mainstay.service.outbound.adapters.http_clients.turn import Turn
from mainstay.service.outbound.adapters.place import Lost, Place
from mainstay.service.outbound.adapters.telling import QUIET, Telling
from mainstay.service.outbound.balance import Endpoint
from mainstay.service.outbound.course import emit
from mainstay.service.outbound.policy import Policy
from mainstay.service.outbound.retry.retry_after import retry_after_s

WHOLE_BYTES_MAX = 65_536
"""Where nobody says whether an answer is streamed, one of at most this length is read at once."""

NEEDS_ONE = "an HTTP client"
"""The pools of clients are not made for calls that wait: httpx looks at all of them whenever one
ends. So waiting is the bulkhead's, in front of the pool, and there must be one."""

_LENGTH = re.compile(r"[0-9]{1,9}")
_NO_TURN = nullcontext()
_ROUNDING_S = 0.001


class BadAnswer(MainstayError):
    """The answer is a failure of the dependency. Only the policy sees it: callers get the answer.

    Args:
        policy: Name of the policy.
        status: Of the answer.
        retry_after_s: The pause that the server asks for, or None.
        answer: The client library's response, complete. Any: each library has its own.
    """

    def __init__(self, policy: str, status: int, retry_after_s: float | None, answer: Any) -> None:
        self.policy = policy
        self.status = status
        self.retry_after_s = retry_after_s
        self.answer = answer
        super().__init__(policy, status, retry_after_s)

    def __str__(self) -> str:
        return f"{self.policy}: answered with status {self.status}"


class HttpCall:
    """What the attempts of one call share, and how their ends are understood.

    Args:
        policy: Through which it is made.
        http: The client's options.
        lost: Where places of answers are noted that nobody reads.
        method: Of the request.
        key: Its ``Idempotency-Key``, or None.
        replayable: Whether its body can be sent a second time.
        whole: Whether the caller wants the whole answer at once; None: nobody knows.

    Attributes:
        policy: For calls that must not be made twice, the one for those.
        repeats: Whether the request may be sent again after it may have arrived.
        streams: Answers whose bodies are still open. Any: each library has its own.

    Raises:
        PolicyMisused: The policy has no bulkhead.
    """

    __slots__ = ("_answers", "_asked", "_callers_s", "_clock", "_http", "_lost", "_method",
                 "_tried", "_until_s", "_whole", "policy", "repeats", "streams")  # fmt: skip

    def __init__(
        self,
        policy: Policy,
        http: Http,
        lost: Lost,
        *,
        method: str,
        key: str | bytes | None,
        replayable: bool,
        whole: bool | None,
    ) -> None:
        lost.give_back()
        bulkhead_of(policy, NEEDS_ONE)
        self.repeats = replayable and may_repeat(method, key)
        self.policy = policy if self.repeats else policy.once
        self.streams: list[Any] = []
        self._http = http
        self._lost = lost
        self._method = method
        self._whole = whole
        self._tried: list[Endpoint] = []
        self._asked: Asked | None = None
        self._answers: list[Any] | None = None
        plan = policy.plan
        self._clock = plan.clock
        self._callers_s = self._until_s = expiry_s(CURRENT.get(), plan.clock)
        if plan.total_s is not None:
            self._until_s = min(self._until_s, plan.now() + plan.total_s)

    def turn(self) -> AbstractContextManager[Endpoint | None]:
        """Return a context manager around one attempt, which says where it goes, if not by URL."""
        balancer = self._http.balancer
        return _NO_TURN if balancer is None else Turn(balancer, self._tried, self._given_up)

    def asking(
        self, send: Callable[..., Any], request: Request, *between: object
    ) -> Callable[..., Any]:
        """Return what the policy calls: ``send``, or where there is a fallback, what it knows by.

        Args:
            send: Makes an attempt. Any: it is the client's.
            request: What is asked.
            between: What says who asks whom, and is not in the request: certificates, proxies.
                Part of the question, whatever key the user's fallback has.
        """
        plan = self.policy.plan
        if plan.fallback is None:
            return send
        self._answers = []
        if plan.last_good is None:
            return send
        self._asked = Asked(send, told_apart(between) if asks_safely(request) else None)
        return self._asked

    @property
    def keeps(self) -> bool:
        """Whether a good answer may be kept."""
        return self._asked is not None and self._asked.what is not None

    def answered(self, answer: Any, status: int, headers: Any, body_bytes: int | None) -> None:
        """Note that an attempt got an answer.

        Args:
            answer: The client's response. Any: each library has its own.
            status: Its status.
            headers: Its headers.
            body_bytes: The length of its body, or None: that is still to come.
        """
        if self._answers is not None:
            self._answers.append(answer)
        if self._asked is None or self.is_failure(status):
            # A failure is never kept, and an earlier answer to the same question may stand in.
            return
        if body_bytes is None or not is_kept(status, headers, body_bytes):
            self._asked.what = None

    def shown(
        self, answer: Any, request: Request, kind: type[Any], made: Callable[[Any, Any], Any]
    ) -> Any:
        """Return what the caller gets: the answer, or a response made from what stands in for it.

        Raises:
            PolicyMisused: The fallback says something that is no response.
        """
        if self._asked is not None:
            self._asked.done()
        if self._answers is None or any(answer is one for one in self._answers):
            return answer
        return stand_in(self.policy.name, answer, request, kind, made)

    def telling(self, url: object) -> Telling:
        """Return what tells of one attempt; ``url`` as the caller has it."""
        if not self.policy.plan.events.calls:
            return QUIET
        target, server, port = _place_of(str(url))
        return Telling(
            self.policy.plan, "http", self._method, target=target, server=server, port=port
        )

    def headers(
        self, left_s: float | None, own: Container[str], span_id: str | None
    ) -> dict[str, str]:
        """Return what an attempt with so many seconds left adds to the headers that it has."""
        return headers_out(left_s, current_trace(), span_id, own)

    def is_failure(self, status: int) -> bool:
        """Return whether an answer with this status is a failure of the dependency."""
        return self._http.is_failure(status)

    def reads_whole(self, status: int, length: str | None) -> bool:
        """Return whether the body is read within the attempt, which then answers for it.

        Args:
            status: Of the answer; a failure is always read, since it may be the last one.
            length: Its ``Content-Length``, or None.
        """
        if self._whole is not None:
            return self._whole or self.is_failure(status)
        return _is_small(length) or self.is_failure(status)

    def place(self) -> Place:
        """Return the place of an answer whose body is read after the call."""
        slots = self.policy.plan.slots
        assert slots is not None, "required when the call began"
        return Place(slots, self._lost)

    def judge(self, status: int, asked: str | None, answer: Any) -> None:
        """Raise BadAnswer where an answer is a failure; ``asked`` is its ``Retry-After``."""
        if self.is_failure(status):
            wall_s = self._clock.wall_s()
            pause_s = None if asked is None else retry_after_s(asked, now_wall_s=wall_s)
            raise BadAnswer(self.policy.name, status, pause_s, answer)

    def left_s(self) -> float:
        """Return the seconds until the whole call must be done; infinite: nothing bounds it."""
        if self._until_s == math.inf:
            return math.inf
        return max(0.0, self._until_s - self._clock.monotonic_s())

    def body_region(self) -> DeadlineRegion:
        """Return the region in which the next part of a streamed body is read."""
        return DeadlineRegion(self.left_s(), self._clock)

    def reconnected(self) -> None:
        """Tell that a stale connection was replaced."""
        emit(self.policy.plan, Reconnected)

    def not_connected(self) -> MainstayError:
        """Return the error for a connection that could not be opened."""
        if self._late():
            return self.too_late(begun=False)
        return ConnectFailed(self.policy.name)

    def timed_out(self, after_s: float | None) -> MainstayError:
        """Return the error for a client that waited ``after_s`` for the network in vain."""
        if self._late():
            return self.too_late(begun=True)
        return AttemptTimedOut(self.policy.name, 0.0 if after_s is None else after_s)

    def broken_off(self) -> MainstayError:
        """Return the error for a connection that broke."""
        return ConnectionLost(self.policy.name)

    def unsendable(self) -> MainstayError:
        """Return the error for a request that the client refuses to send."""
        return CallUnsendable(f"{self.policy.name}: the client can't send this request")

    def too_late(self, *, begun: bool = True) -> DeadlineExceeded:
        """Return the error of a call that was not done in time."""
        return DeadlineExceeded(f"{self.policy.name}: not done by its deadline", begun=begun)

    def _late(self) -> bool:
        return self._clock.monotonic_s() >= self._until_s - _ROUNDING_S

    def _given_up(self) -> bool:
        return self._clock.monotonic_s() >= self._callers_s - _ROUNDING_S


def _place_of(url: str) -> tuple[str, str | None, int | None]:
    """Return path, host and port of a URL; of one that is none, nothing."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        # The client itself says what is wrong with it.
        return "", None, None
    return parts.path, parts.hostname, port


def _is_small(length: str | None) -> bool:
    # From outside: no sign, no spaces, no other digits, and not a million of them.
    if length is None or not _LENGTH.fullmatch(length):
        return False
    return int(length) <= WHOLE_BYTES_MAX


def bounded_s(declared_s: float | None, default_s: float, left_s: float | None) -> float:
    """Return how long a thread may wait for the network: the least of what is said and is left."""
    own_s = default_s if declared_s is None else declared_s
    return own_s if left_s is None else min(own_s, left_s)
