"""aiohttp with a policy inside: the client middleware, and a session that has it."""

import asyncio
import copy
import math
from functools import partial
from typing import Any

import aiohttp
from aiohttp.base_protocol import BaseProtocol
from aiohttp.client_proto import ResponseHandler
from aiohttp.tracing import Trace

from mainstay.core.deadline import remaining_s
from mainstay.core.errors import MainstayError
from mainstay.service.outbound.adapters.asked import answering
from mainstay.service.outbound.adapters.errors import also
from mainstay.service.outbound.adapters.held import bulkhead_of
from mainstay.service.outbound.adapters.http_clients.call import (
    NEEDS_ONE,
    BadAnswer,
    HttpCall,
)
from mainstay.service.outbound.adapters.http_clients.options import Http
from mainstay.service.outbound.adapters.http_clients.stand_in import question_of
from mainstay.service.outbound.adapters.http_clients.wire import Wire, note_connected, note_opening
from mainstay.service.outbound.adapters.place import Lost
from mainstay.service.outbound.balance import Endpoint
from mainstay.service.outbound.policy import Policy

_BODY = "_mainstay_body"
"""The attribute of a response under which its whole body is, where it may be kept."""

_CONNECTING = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


class PolicyMiddleware:
    """A client middleware that sends each request through a policy; put it last, next to the wire.

    In a session that ``aiohttp_session`` made, a stale connection is replaced as well.

    Args:
        policy: Any, with a bulkhead.
        http: Options; ``connect`` and ``read`` are the session's business.

    Raises:
        PolicyMisused: The policy has no bulkhead.
    """

    def __init__(self, policy: Policy, http: Http | None = None) -> None:
        bulkhead_of(policy, NEEDS_ONE)
        self._policy = answering(policy, question_of)
        self._http = http or Http()
        self._lost = Lost()

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Return the answer, whatever its status.

        Raises:
            CallRejected: A part of the policy rejected it: nothing was sent.
            DeadlineExceeded: It was not done by its deadline.
            AttemptTimedOut: The last attempt took too long.
            ConnectFailed: No connection could be opened.
            ConnectionLost: The connection broke. Each of these is an ``aiohttp.ClientError`` too.
        """
        call = HttpCall(
            self._policy,
            self._http,
            self._lost,
            method=request.method,
            key=request.headers.get("Idempotency-Key"),
            replayable=isinstance(request.body, bytes | aiohttp.BytesPayload),
            whole=None,
        )
        answer: aiohttp.ClientResponse | None = None
        try:
            send = call.asking(partial(self._attempt, call, handler), request, *_between(request))
            answer = await call.policy.acall(send, request)
        except BadAnswer as bad:
            answer = bad.answer
        except MainstayError as error:
            raise _as_aiohttp(error) from error.__cause__
        finally:
            for other in call.streams:
                # The loser of a hedge may have begun to answer as well.
                if other is not answer:
                    other.close()
        kind = aiohttp.ClientResponse
        shown: aiohttp.ClientResponse = call.shown(answer, request, kind, _another)
        return shown

    async def _attempt(
        self,
        call: HttpCall,
        handler: aiohttp.ClientHandlerType,
        request: aiohttp.ClientRequest,
    ) -> aiohttp.ClientResponse:
        with call.telling(request.url) as told, call.turn() as endpoint:
            outgoing = partial(_outgoing, request, call, endpoint, told.span_id)
            try:
                answer = await _sent(call, handler, outgoing)
                body = await _take(call, answer)
            except (aiohttp.ClientError, OSError, ValueError) as error:
                raise _translated(call, error, request) from error
            told.status = answer.status
            length = None if body is None else len(body)
            call.answered(answer, answer.status, answer.headers, length)
            call.judge(answer.status, answer.headers.get("Retry-After"), answer)
        return answer


async def _sent(
    call: HttpCall, handler: aiohttp.ClientHandlerType, outgoing: partial[aiohttp.ClientRequest]
) -> aiohttp.ClientResponse:
    """Return the answer, with its body unread; where an idle connection was stale, of another."""
    request = outgoing()
    if not isinstance(request.session.connector, Connector):
        return await handler(request)
    with Wire() as wire:
        try:
            return await handler(request)
        except _CONNECTING:
            raise
        except (aiohttp.ClientConnectionError, OSError) as error:
            if isinstance(error, TimeoutError) or not wire.was_stale(call):
                raise
    return await handler(outgoing())


async def _take(call: HttpCall, answer: aiohttp.ClientResponse) -> bytes | None:
    """Wait for the whole body, or let the answer hold its place until it is read or closed.

    Returns:
        The body of an answer that may be kept; else None.
    """
    headers = answer.headers
    # What is packed may be any length when it is unpacked, and the reader stops when it is full.
    length = None if "Content-Encoding" in headers else headers.get("Content-Length")
    try:
        if not call.reads_whole(answer.status, length):
            _hold(call, answer)
        elif call.is_failure(answer.status):
            await answer.read()
        elif call.keeps:
            body = await answer.content.read()
            _give_body(answer, body)
            return body
        else:
            # Not read: who reads ``answer.content`` itself must find it there.
            await answer.content.wait_eof()
    except BaseException:
        answer.close()
        raise
    return None


def _give_body(answer: aiohttp.ClientResponse, body: bytes) -> None:
    """Let ``body`` be what there is to read, whatever was read already."""
    loop = asyncio.get_running_loop()
    answer.content = aiohttp.StreamReader(BaseProtocol(loop), max(1, len(body)), loop=loop)
    answer.content.feed_data(body)
    answer.content.feed_eof()
    setattr(answer, _BODY, body)


def _hold(call: HttpCall, answer: aiohttp.ClientResponse) -> None:
    connection = answer.connection
    if connection is None:
        # All of it came with the headers.
        return
    connection.add_callback(call.place().give_back)
    call.streams.append(answer)
    left_s = call.left_s()
    if left_s != math.inf:
        timer = asyncio.get_running_loop().call_later(left_s, _cut, call, answer)
        connection.add_callback(timer.cancel)


def _cut(call: HttpCall, answer: aiohttp.ClientResponse) -> None:
    """End a body whose time is up: who reads it gets the error."""
    answer.content.set_exception(_as_aiohttp(call.too_late()))
    answer.close()


class Connector(aiohttp.TCPConnector):
    """Connections without a bound of their own, since the bulkhead bounds them."""

    async def _create_connection(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  The form of aiohttp's.
    ) -> ResponseHandler:
        note_opening()
        protocol = await super()._create_connection(req, traces, timeout)
        note_connected()
        return protocol


def aiohttp_session(
    policy: Policy, http: Http | None = None, **options: Any
) -> aiohttp.ClientSession:
    """Return an ``aiohttp.ClientSession`` that holds a policy. Call it where a loop runs.

    Args:
        policy: Any, with a bulkhead.
        http: Options. Writes have no bound but the attempt's, since aiohttp knows none.
        options: Further ones of ``aiohttp.ClientSession``. Any: they are aiohttp's.
    """
    http = http or Http()
    middlewares = (*options.pop("middlewares", ()), PolicyMiddleware(policy, http))
    defaults: dict[str, Any] = {
        "connector": Connector(limit=0, keepalive_timeout=float(http.idle), ssl=http.tls or True),
        "timeout": aiohttp.ClientTimeout(
            total=None, sock_connect=float(http.connect), sock_read=float(http.read)
        ),
    }
    return aiohttp.ClientSession(
        http.base_url or None, middlewares=middlewares, **{**defaults, **options}
    )


def _between(request: aiohttp.ClientRequest) -> tuple[object, ...]:
    """Return what says who asks whom: the session's certificate is its connector's."""
    proxy = (request.proxy, request.proxy_auth, request.proxy_headers)
    return request.session.connector, request.ssl, request.server_hostname, *proxy


def _outgoing(
    request: aiohttp.ClientRequest,
    call: HttpCall,
    endpoint: Endpoint | None,
    span_id: str | None,
) -> aiohttp.ClientRequest:
    """Return the request of one attempt: two of them may be on their way at once."""
    sent = copy.copy(request)
    sent.headers = request.headers.copy()
    sent.headers.update(call.headers(remaining_s(), sent.headers, span_id))
    if endpoint is not None:
        sent.server_hostname = sent.server_hostname or request.url.raw_host
        sent.url = request.url.with_host(endpoint.host).with_port(endpoint.port)
    return sent


def _another(
    answer: aiohttp.ClientResponse, _request: aiohttp.ClientRequest
) -> aiohttp.ClientResponse:
    """Return a response like one that was kept; one that the user has is as it is."""
    body: bytes | None = getattr(answer, _BODY, None)
    if body is None:
        return answer
    # Nobody but aiohttp can make one. This one has been read to its end, so it has no connection.
    made = copy.copy(answer)
    vars(made).update(_body=None, _released=False, _cache={}, _traces=[])
    _give_body(made, body)
    return made


def _translated(
    call: HttpCall,
    error: aiohttp.ClientError | OSError | ValueError,
    request: aiohttp.ClientRequest,
) -> MainstayError:
    """Return what an error of aiohttp means."""
    if isinstance(error, _CONNECTING):
        return call.not_connected()
    if isinstance(error, ValueError):
        # A URL, or a header that can't be.
        return call.unsendable()
    if isinstance(error, TimeoutError):
        return call.timed_out(request.session.timeout.sock_read)
    return call.broken_off()


def _as_aiohttp(error: MainstayError) -> MainstayError:
    """Return the error as one of aiohttp too.

    Of kinds for which aiohttp does not try again by itself: that is the policy's to decide.
    """
    kind: type[aiohttp.ClientError] = aiohttp.ClientError
    if isinstance(error, TimeoutError):
        kind = aiohttp.ServerTimeoutError
    elif isinstance(error, ConnectionError):
        kind = aiohttp.ClientConnectionError
    return also(error, kind)
