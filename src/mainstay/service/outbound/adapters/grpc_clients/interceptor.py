"""The synchronous interceptor. A future is awaited here too: what it ends with is the call's."""

from collections.abc import Callable
from typing import Any

import grpc  # type: ignore[import-untyped]  # It ships no types, so all of it is Any.

from mainstay.core.errors import MainstayError
from mainstay.service.outbound.adapters.grpc_clients.answers import UnaryRequest
from mainstay.service.outbound.adapters.grpc_clients.call import GrpcGate
from mainstay.service.outbound.adapters.grpc_clients.stood_in import StoodIn
from mainstay.service.outbound.adapters.grpc_clients.stream import Stream, end_of
from mainstay.service.outbound.adapters.held import started


class PolicyInterceptor(
    grpc.UnaryUnaryClientInterceptor,  # type: ignore[misc]  # As above.
    grpc.UnaryStreamClientInterceptor,  # type: ignore[misc]
    grpc.StreamUnaryClientInterceptor,  # type: ignore[misc]
    grpc.StreamStreamClientInterceptor,  # type: ignore[misc]
):
    """Makes each call of a channel one of its policy.

    Args:
        gate: The channel's.
    """

    def __init__(self, gate: GrpcGate) -> None:
        self._gate = gate
        self._started = started(gate.policy)

    def intercept_unary_unary(self, send: Callable[..., Any], details: Any, request: Any) -> Any:
        """Make a call, and again as the policy says; return it with its answer."""
        answers = self._gate.answers(send, details, request)

        def attempt(_request: UnaryRequest) -> Any:
            began_s = self._gate.policy.plan.now()
            with self._gate.telling(details) as told:
                outgoing = self._gate.outgoing(details, span_id=told.span_id)
                call = send(outgoing, request)
                try:
                    message = call.result()
                except grpc.RpcError as error:
                    told.status = error.code().name
                    return self._gate.ended(error, outgoing, began_s)
                told.status = "OK"
                return answers.answered(call, message)

        try:
            policy = self._gate.policy_for(details)
            answer = policy.call(answers.asking(attempt), answers.request)
            return answers.shown(answer, StoodIn)
        except MainstayError as error:
            raise self._gate.theirs(error) from error.__cause__

    def intercept_unary_stream(self, send: Callable[..., Any], details: Any, request: Any) -> Any:
        """Begin a stream."""
        return self._begin(send, details, request)

    def intercept_stream_unary(self, send: Callable[..., Any], details: Any, requests: Any) -> Any:
        """Send a stream."""
        return self._begin(send, details, requests)

    def intercept_stream_stream(self, send: Callable[..., Any], details: Any, requests: Any) -> Any:
        """Begin a stream in both directions."""
        return self._begin(send, details, requests)

    def _begin(self, send: Callable[..., Any], details: Any, request: Any) -> Any:
        outgoing = self._gate.outgoing(details, stream=True)

        def attempt() -> tuple[Stream, Any]:
            stream = Stream(self._gate, outgoing, details.timeout)
            try:
                return stream, send(outgoing, request)
            except BaseException:
                stream.dropped()
                raise

        try:
            stream, call = self._started.call(attempt)
        except MainstayError as error:
            raise self._gate.theirs(error) from error.__cause__
        end = end_of(call)
        if not call.add_callback(lambda: stream.ended(end)):
            stream.ended(call)  # It is over already.
        return call
