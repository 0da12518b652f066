"""The asynchronous interceptors: gRPC takes one of each kind, and each for one kind of call."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple
from weakref import ref

import grpc  # type: ignore[import-untyped]  # It ships no types, so all of it is Any.
from grpc import aio

from mainstay.core.errors import MainstayError
from mainstay.service.outbound.adapters.grpc_clients.answers import UnaryRequest
from mainstay.service.outbound.adapters.grpc_clients.async_stream import (
    HeldStreamStream,
    HeldStreamUnary,
    HeldUnaryStream,
)
from mainstay.service.outbound.adapters.grpc_clients.call import GrpcGate
from mainstay.service.outbound.adapters.grpc_clients.stream import Stream
from mainstay.service.outbound.adapters.held import started

Send = Callable[[Any, Any], Awaitable[Any]]
"""Makes one attempt. Any: gRPC's own."""

Holds = type[HeldUnaryStream | HeldStreamUnary | HeldStreamStream]
Shown = ref[HeldUnaryStream | HeldStreamUnary | HeldStreamStream]


class AsyncUnaryInterceptor(aio.UnaryUnaryClientInterceptor):  # type: ignore[misc]  # As above.
    """Makes each call of a channel one of its policy.

    Args:
        gate: The channel's.
    """

    def __init__(self, gate: GrpcGate) -> None:
        self._gate = gate

    async def intercept_unary_unary(self, send: Send, details: Any, request: Any) -> Any:
        """Make a call, and again as the policy says; return it with its answer."""
        answers = self._gate.answers(send, details, request)

        async def attempt(_request: UnaryRequest) -> Any:
            began_s = self._gate.policy.plan.now()
            with self._gate.telling(details) as told:
                outgoing = self._gate.outgoing(details, span_id=told.span_id)
                call = await send(_as_aio(outgoing), request)
                try:
                    message = await call
                except grpc.RpcError as error:
                    told.status = error.code().name
                    return self._gate.ended(error, outgoing, began_s)
                told.status = "OK"
                return answers.answered(call, message)

        try:
            policy = self._gate.policy_for(details)
            answer = await policy.acall(answers.asking(attempt), answers.request)
            # gRPC makes a call of what is none.
            return answers.shown(answer, lambda message: message)
        except MainstayError as error:
            raise self._gate.theirs(error) from error.__cause__


class _Streams:
    """Begins streams, and sees their ends.

    Args:
        gate: The channel's.
    """

    def __init__(self, gate: GrpcGate) -> None:
        self._gate = gate
        self._started = started(gate.policy)
        # So that the garbage collector leaves them alone; as many as there are streams.
        self._watches: set[asyncio.Task[None]] = set()

    async def begin(self, send: Send, details: Any, request: Any, held: Holds) -> Any:
        """Begin one, and return it as the kind that ``held`` is."""
        outgoing = self._gate.outgoing(details, stream=True)

        async def attempt() -> tuple[Stream, Any]:
            stream = Stream(self._gate, outgoing, details.timeout)
            try:
                return stream, await send(_as_aio(outgoing), request)
            except BaseException:
                stream.dropped()
                raise

        try:
            stream, call = await self._started.acall(attempt)
        except MainstayError as error:
            raise self._gate.theirs(error) from error.__cause__
        shown = held(call)
        watch = asyncio.create_task(_see_end(stream, call, ref(shown)))
        self._watches.add(watch)
        watch.add_done_callback(self._watches.discard)
        return shown


class AsyncUnaryStreamInterceptor(_Streams, aio.UnaryStreamClientInterceptor):  # type: ignore[misc]  # As above.
    """Begins streams that come."""

    async def intercept_unary_stream(self, send: Send, details: Any, request: Any) -> Any:
        """Begin one."""
        return await self.begin(send, details, request, HeldUnaryStream)


class AsyncStreamUnaryInterceptor(_Streams, aio.StreamUnaryClientInterceptor):  # type: ignore[misc]  # As above.
    """Begins streams that go."""

    async def intercept_stream_unary(self, send: Send, details: Any, requests: Any) -> Any:
        """Begin one."""
        return await self.begin(send, details, requests, HeldStreamUnary)


class AsyncStreamStreamInterceptor(_Streams, aio.StreamStreamClientInterceptor):  # type: ignore[misc]  # As above.
    """Begins streams in both directions."""

    async def intercept_stream_stream(self, send: Send, details: Any, requests: Any) -> Any:
        """Begin one."""
        return await self.begin(send, details, requests, HeldStreamStream)


class _End(NamedTuple):
    """How an asynchronous call ended, in the form of a synchronous one."""

    status: Any
    text: str | None
    headers: Any
    trailers: Any

    def code(self) -> Any:
        """Return the status code."""
        return self.status

    def details(self) -> str | None:
        """Return what was said about it."""
        return self.text

    def initial_metadata(self) -> Any:
        """Return pairs of names and values."""
        return self.headers

    def trailing_metadata(self) -> Any:
        """Return pairs of names and values."""
        return self.trailers


async def _see_end(stream: Stream, call: Any, shown: Shown) -> None:
    """Wait for the end of a stream, and count it.

    Args:
        stream: Its place.
        call: The running one.
        shown: The one that its caller holds; who throws that away ends the running one.
    """
    try:
        end = _End(
            await call.code(),
            await call.details(),
            await call.initial_metadata(),
            await call.trailing_metadata(),
        )
    except BaseException:
        # The loop is being closed.
        stream.dropped()
        raise
    stream.ended(end)
    held = shown()
    if held is not None:
        held.tell_end()


def _as_aio(details: Any) -> Any:
    """Return details in the form that the asynchronous kind insists on."""
    return aio.ClientCallDetails(
        details.method,
        details.timeout,
        aio.Metadata(*details.metadata),
        details.credentials,
        details.wait_for_ready,
    )
