"""The fallback of a gRPC channel: what its unary calls ask, and what is kept of their answers.

gRPC gives interceptors messages and no bytes. So what can be kept are messages that are bytes, and
those of protobuf, which turn into bytes and back by themselves.
"""

from collections.abc import Callable, Hashable
from functools import partial
from typing import Any, NamedTuple

from mainstay.service.outbound.adapters.asked import KEPT_BYTES_MAX, OF_ONE_REQUEST, Asked
from mainstay.service.outbound.adapters.outcome import opened
from mainstay.service.outbound.plan import Plan

_CONTINUATION_ARGUMENTS = 4


class UnaryRequest(NamedTuple):
    """One unary call, as a fallback's ``function`` and ``key`` are given it.

    Attributes:
        method: Its full name: ``/shop.Catalog/Get``.
        message: What is sent. Any: the user's.
        metadata: Pairs of names and values that the caller sends along.
        credentials: Of this one call, or None. Any: gRPC's own.
    """

    method: str
    message: Any
    metadata: tuple[tuple[str, str | bytes], ...]
    credentials: Any


def question_of(request: UnaryRequest) -> Hashable:
    """Return what a call asks: method, message, and whatever says who asks.

    Raises:
        TypeError: Nobody can say when another message would be the same, or it is too long; this
            is how a store is told that the answer is not to be kept.
    """
    packed = Packed.of(request.message)
    if packed is None:
        raise TypeError("a message that can't be kept")
    own = frozenset(pair for pair in request.metadata if pair[0] not in OF_ONE_REQUEST)
    return request.method, packed, own, request.credentials


def reader_of(send: Any) -> Hashable | None:
    """Return what makes messages of the bytes that come, since two may read one method.

    Interceptors are not told. It is in what they are given to go on with, where gRPC keeps it for
    itself.

    Args:
        send: The continuation. Any: gRPC ships no types.

    Returns:
        None: it is not where it was in the versions that we know.
    """
    if isinstance(send, partial):
        # Asynchronous: further interceptors, the method, the serializer and the deserializer.
        return send.args[-1:] if len(send.args) == _CONTINUATION_ARGUMENTS else None
    thunk = getattr(_enclosed(send).get("self"), "_thunk", None)
    found = _enclosed(thunk)
    return (found["response_deserializer"],) if "response_deserializer" in found else None


def _enclosed(function: Any) -> dict[str, Any]:
    # Any: a function's own variables.
    names = getattr(getattr(function, "__code__", None), "co_freevars", ())
    cells = getattr(function, "__closure__", None) or ()
    return {name: cell.cell_contents for name, cell in zip(names, cells, strict=True)}


class Packed(NamedTuple):
    """A message as bytes: what callers do to theirs does not change what is kept.

    Attributes:
        kind: What it is made into. Any: the user's.
        body: At most ``KEPT_BYTES_MAX``.
    """

    kind: Any
    body: bytes

    @classmethod
    def of(cls, message: Any) -> "Packed | None":
        """Return a message packed, or None where it is of another kind or too long."""
        kind = type(message)
        if kind is bytes:
            body: bytes = message
        elif callable(getattr(kind, "FromString", None)):
            if message.ByteSize() > KEPT_BYTES_MAX:
                return None
            body = message.SerializeToString(deterministic=True)
        else:
            return None
        return None if len(body) > KEPT_BYTES_MAX else cls(kind, body)

    def message(self) -> Any:
        """Return a message of the caller's own."""
        return self.body if self.kind is bytes else self.kind.FromString(self.body)


class Answers:
    """One unary call, where the policy may have a fallback.

    Args:
        plan: The call's.
        request: What is asked.
        reader: Part of the question, see ``reader_of``. None: the answer is not to be kept, as
            when it does not only read.
    """

    __slots__ = ("_asked", "_own", "_plan", "_reader", "request")

    def __init__(self, plan: Plan, request: UnaryRequest, *, reader: Hashable | None) -> None:
        self._plan = plan
        self._reader = reader
        self._asked: Asked | None = None
        # The calls that were answered, and by what: one, or some that were tried again or hedged.
        # Any: gRPC's own.
        self._own: list[tuple[Any, Any]] = []
        self.request = request

    def asking(self, attempt: Callable[..., Any]) -> Callable[..., Any]:
        """Return what the policy calls: an attempt, or where answers are kept, what by.

        Any: the attempt of either kind of channel.
        """
        if self._plan.last_good is None:
            return attempt
        self._asked = Asked(attempt, self._reader, self._packed)
        return self._asked

    def answered(self, call: Any, message: Any) -> Any:
        """Return what an attempt returns for a call that was answered: the call.

        Any: both are gRPC's and the user's.
        """
        self._own.append((call, message))
        return call

    def shown(self, answer: Any, stood_in: Callable[[Any], Any]) -> Any:
        """Return what the caller gets.

        Args:
            answer: What the policy returned. Any: an attempt's, or what a fallback says.
            stood_in: Makes of a message what an interceptor returns.

        Raises:
            grpc.RpcError: The server answered with an error.
        """
        if self._asked is not None:
            self._asked.done()
        for call, _ in self._own:
            if call is answer:
                return call
        message = opened(answer)
        # One for each who gets it: the user's value is one for all calls.
        packed = message if type(message) is Packed else Packed.of(message)
        return stood_in(message if packed is None else packed.message())

    def _packed(self, answer: Any) -> Packed:
        """Return what is kept of what an attempt returned. Any: gRPC's.

        Raises:
            TypeError: Its message can't be kept, or is an error.
        """
        for call, message in self._own:
            if call is answer:
                packed = Packed.of(message)
                if packed is not None:
                    return packed
        raise TypeError("an answer that can't be kept")
