"""httpx's transports with a policy inside."""

from functools import partial

import httpx

from mainstay.core.deadline import remaining_s
from mainstay.core.errors import MainstayError
from mainstay.service.outbound.adapters.asked import answering
from mainstay.service.outbound.adapters.held import bulkhead_of
from mainstay.service.outbound.adapters.http_clients.call import (
    NEEDS_ONE,
    BadAnswer,
    HttpCall,
)
from mainstay.service.outbound.adapters.http_clients.httpcore_pool import AsyncPool, Pool
from mainstay.service.outbound.adapters.http_clients.httpx_stream import (
    AsyncHeldStream,
    HeldStream,
)
from mainstay.service.outbound.adapters.http_clients.httpx_words import (
    as_httpx,
    between,
    call_of,
    outgoing,
    shown,
    streamed,
    translated,
    waits_of,
    whole,
)
from mainstay.service.outbound.adapters.http_clients.options import Http
from mainstay.service.outbound.adapters.http_clients.stand_in import question_of
from mainstay.service.outbound.adapters.place import Lost
from mainstay.service.outbound.policy import Policy


class AsyncPolicyTransport(httpx.AsyncBaseTransport):
    """Sends each request through a policy.

    Args:
        policy: Any, with a bulkhead.
        http: Options.
        transport: What sends an attempt; None: a pool of connections made for it. Another one,
            such as ``httpx.ASGITransport``, has no automatic retry on a stale connection.

    Raises:
        PolicyMisused: The policy has no bulkhead.
    """

    def __init__(
        self,
        policy: Policy,
        http: Http | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._policy = answering(policy, question_of)
        self._http = http or Http()
        self._lost = Lost()
        idle_max = bulkhead_of(policy, NEEDS_ONE)
        self._transport = transport or AsyncPool(self._http, idle_max)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the answer, whatever its status.

        Raises:
            CallRejected: A part of the policy rejected it: nothing was sent.
            DeadlineExceeded: It was not done by its deadline.
            AttemptTimedOut: The last attempt took too long.
            ConnectFailed: No connection could be opened.
            ConnectionLost: The connection broke. Each of these is an ``httpx.TransportError`` too.
        """
        call = call_of(request, self._policy, self._http, self._lost)
        send = partial(self._attempt, call)
        answer: httpx.Response | None = None  # Or whatever a fallback says.
        try:
            answer = await call.policy.acall(call.asking(send, request, between(request)), request)
        except BadAnswer as bad:
            answer = bad.answer
        except MainstayError as error:
            raise as_httpx(error) from error.__cause__
        finally:
            for stream in call.streams:
                # The loser of a hedge may have begun to answer as well.
                if getattr(answer, "stream", None) is not stream:
                    await stream.aclose()
            # The pool knows the call: an answer that nobody reads must not live as long as that.
            call.streams.clear()
        return shown(call, answer, request)

    async def _attempt(self, call: HttpCall, request: httpx.Request) -> httpx.Response:
        with call.telling(request.url) as told, call.turn() as endpoint:
            left_s = remaining_s()
            waits = waits_of(request, self._http, left_s, in_thread=False)
            sent = outgoing(request, call, waits, endpoint, left_s, told.span_id)
            try:
                answer = await self._transport.handle_async_request(sent)
                answer = await self._taken(call, answer)
            except httpx.TransportError as error:
                raise translated(call, error, waits) from error
            told.status = answer.status_code
            call.judge(answer.status_code, answer.headers.get("Retry-After"), answer)
        return answer

    async def _taken(self, call: HttpCall, answer: httpx.Response) -> httpx.Response:
        """Return the answer with its whole body, or with one that holds its place."""
        stream = answer.stream
        assert isinstance(stream, httpx.AsyncByteStream), "an asynchronous transport's"
        if call.reads_whole(answer.status_code, answer.headers.get("Content-Length")):
            try:
                body = b"".join([part async for part in stream])
            finally:
                await stream.aclose()
            return whole(call, answer, body)
        held = AsyncHeldStream(stream, call)
        call.streams.append(held)
        return streamed(call, answer, held)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._transport.aclose()


class PolicyTransport(httpx.BaseTransport):
    """The same for threads; arguments and errors as those of ``AsyncPolicyTransport``."""

    def __init__(
        self,
        policy: Policy,
        http: Http | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._policy = answering(policy, question_of)
        self._http = http or Http()
        self._lost = Lost()
        idle_max = bulkhead_of(policy, NEEDS_ONE)
        self._transport = transport or Pool(self._http, idle_max)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Return the answer, whatever its status."""
        call = call_of(request, self._policy, self._http, self._lost)
        send = partial(self._attempt, call)
        answer: httpx.Response
        try:
            answer = call.policy.call(call.asking(send, request, between(request)), request)
        except BadAnswer as bad:
            answer = bad.answer
        except MainstayError as error:
            raise as_httpx(error) from error.__cause__
        return shown(call, answer, request)

    def _attempt(self, call: HttpCall, request: httpx.Request) -> httpx.Response:
        with call.telling(request.url) as told, call.turn() as endpoint:
            left_s = remaining_s()
            waits = waits_of(request, self._http, left_s, in_thread=True)
            sent = outgoing(request, call, waits, endpoint, left_s, told.span_id)
            try:
                answer = self._transport.handle_request(sent)
                answer = self._taken(call, answer)
            except httpx.TransportError as error:
                raise translated(call, error, waits) from error
            told.status = answer.status_code
            call.judge(answer.status_code, answer.headers.get("Retry-After"), answer)
        return answer

    def _taken(self, call: HttpCall, answer: httpx.Response) -> httpx.Response:
        stream = answer.stream
        assert isinstance(stream, httpx.SyncByteStream), "a synchronous transport's"
        if call.reads_whole(answer.status_code, answer.headers.get("Content-Length")):
            try:
                body = b"".join(stream)
            finally:
                stream.close()
            return whole(call, answer, body)
        return streamed(call, answer, HeldStream(stream, call))

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()
