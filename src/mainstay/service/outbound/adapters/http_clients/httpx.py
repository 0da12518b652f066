"""httpx with a policy inside: the transports, and clients that have them."""

from collections.abc import Mapping
from functools import partial
from typing import Any, TypeVar

from mainstay.core.deadline import remaining_s
from mainstay.core.errors import MainstayError, PartMissing
from mainstay.service.outbound.adapters.errors import CallUnsendable, ConnectFailed, also
from mainstay.service.outbound.adapters.held import bulkhead_of
from mainstay.service.outbound.adapters.http_clients.call import (
    NEEDS_ONE,
    BadAnswer,
    HttpCall,
    bounded_s,
    within_attempt_s,
)
from mainstay.service.outbound.adapters.http_clients.options import Http
from mainstay.service.outbound.adapters.http_clients.place import Lost
from mainstay.service.outbound.balance import Endpoint
from mainstay.service.outbound.policy import Policy

try:
    import httpx
except ModuleNotFoundError as error:
    raise PartMissing("httpx is not installed: pip install httpx") from error

# Needs httpx itself, so it comes after the sentence above.
from mainstay.service.outbound.adapters.http_clients.httpcore_pool import CALL, AsyncPool, Pool
from mainstay.service.outbound.adapters.http_clients.httpx_stream import (
    AsyncHeldStream,
    HeldStream,
)

_WHOLE = "mainstay_whole"
"""The key of a request's extensions under which a client says that it reads the whole answer."""

Waits = dict[str, float | None]


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
        self._policy = policy
        self._http = http or Http()
        self._lost = Lost()
        self._transport = transport or AsyncPool(
            idle_s=float(self._http.idle), idle_max=bulkhead_of(policy, NEEDS_ONE)
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the answer, whatever its status.

        Raises:
            CallRejected: A part of the policy rejected it: nothing was sent.
            DeadlineExceeded: It was not done by its deadline.
            AttemptTimedOut: The last attempt took too long.
            ConnectFailed: No connection could be opened.
            ConnectionLost: The connection broke. Each of these is an ``httpx.TransportError`` too.
        """
        call = _call_of(request, self._policy, self._http, self._lost)
        answer: httpx.Response | None = None
        try:
            answer = await call.policy.acall(partial(self._attempt, call), request)
        except BadAnswer as bad:
            answer = bad.answer
        except MainstayError as error:
            raise _as_httpx(error) from error.__cause__
        finally:
            for stream in call.streams:
                # The loser of a hedge may have begun to answer as well.
                if answer is None or answer.stream is not stream:
                    await stream.aclose()
            # The pool knows the call: an answer that nobody reads must not live as long as that.
            call.streams.clear()
        assert answer is not None, "returned, or raised above"
        return answer

    async def _attempt(self, call: HttpCall, request: httpx.Request) -> httpx.Response:
        with call.turn() as endpoint:
            left_s = remaining_s()
            waits = {
                kind: within_attempt_s(wait_s, left_s)
                for kind, wait_s in _declared(request, self._http).items()
            }
            try:
                answer = await self._transport.handle_async_request(
                    _outgoing(request, call, waits, endpoint)
                )
                answer = await self._taken(call, answer)
            except httpx.TransportError as error:
                raise _translated(call, error, waits) from error
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
            return _with_body(answer, httpx.ByteStream(body))
        held = AsyncHeldStream(stream, call)
        call.streams.append(held)
        return _with_body(answer, held)

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
        self._policy = policy
        self._http = http or Http()
        self._lost = Lost()
        self._transport = transport or Pool(
            idle_s=float(self._http.idle), idle_max=bulkhead_of(policy, NEEDS_ONE)
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Return the answer, whatever its status."""
        call = _call_of(request, self._policy, self._http, self._lost)
        answer: httpx.Response
        try:
            answer = call.policy.call(partial(self._attempt, call), request)
        except BadAnswer as bad:
            answer = bad.answer
        except MainstayError as error:
            raise _as_httpx(error) from error.__cause__
        return answer

    def _attempt(self, call: HttpCall, request: httpx.Request) -> httpx.Response:
        with call.turn() as endpoint:
            left_s = remaining_s()
            waits: Waits = {
                kind: bounded_s(wait_s, _default_s(self._http, kind), left_s)
                for kind, wait_s in _declared(request, self._http).items()
            }
            try:
                answer = self._transport.handle_request(_outgoing(request, call, waits, endpoint))
                answer = self._taken(call, answer)
            except httpx.TransportError as error:
                raise _translated(call, error, waits) from error
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
            return _with_body(answer, httpx.ByteStream(body))
        return _with_body(answer, HeldStream(stream, call))

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()


class HttpClient(httpx.AsyncClient):
    """An ``httpx.AsyncClient`` that tells its transport whether an answer is streamed."""

    # Any: the options are httpx's, and handed on.
    async def send(
        self, request: httpx.Request, *, stream: bool = False, **options: Any
    ) -> httpx.Response:
        """Send a request, as httpx does."""
        request.extensions[_WHOLE] = not stream
        return await super().send(request, stream=stream, **options)


class SyncHttpClient(httpx.Client):
    """An ``httpx.Client`` that does the same."""

    # Any: the options are httpx's, and handed on.
    def send(
        self, request: httpx.Request, *, stream: bool = False, **options: Any
    ) -> httpx.Response:
        """Send a request, as httpx does."""
        request.extensions[_WHOLE] = not stream
        return super().send(request, stream=stream, **options)


def http_client(
    policy: Policy,
    http: Http | None = None,
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    **options: Any,
) -> HttpClient:
    """Return an ``httpx.AsyncClient`` whose transport holds a policy. Close it, as any client.

    Args:
        policy: Any, with a bulkhead.
        http: Options.
        transport: As ``AsyncPolicyTransport`` takes it.
        options: Further ones of ``httpx.AsyncClient``. Any: they are httpx's.
    """
    http = http or Http()
    return HttpClient(
        transport=AsyncPolicyTransport(policy, http, transport), **_defaults(http, options)
    )


def sync_http_client(
    policy: Policy,
    http: Http | None = None,
    *,
    transport: httpx.BaseTransport | None = None,
    **options: Any,
) -> SyncHttpClient:
    """Return an ``httpx.Client`` whose transport holds a policy; as ``http_client``."""
    http = http or Http()
    return SyncHttpClient(
        transport=PolicyTransport(policy, http, transport), **_defaults(http, options)
    )


def _defaults(http: Http, options: Mapping[str, Any]) -> dict[str, Any]:
    timeout = httpx.Timeout(
        connect=float(http.connect), read=float(http.read), write=float(http.write), pool=None
    )
    return {"base_url": http.base_url, "timeout": timeout, **options}


def _call_of(request: httpx.Request, policy: Policy, http: Http, lost: Lost) -> HttpCall:
    return HttpCall(
        policy,
        http,
        lost,
        method=request.method,
        key=request.headers.get("Idempotency-Key"),
        replayable=isinstance(request.stream, httpx.ByteStream),
        whole=request.extensions.get(_WHOLE),
    )


def _declared(request: httpx.Request, http: Http) -> Waits:
    """Return the request's own timeouts, in seconds by kind, else those of the options."""
    asked: Mapping[str, float | None] = request.extensions.get("timeout", {})
    return {
        "connect": asked.get("connect", float(http.connect)),
        "read": asked.get("read", float(http.read)),
        "write": asked.get("write", float(http.write)),
        "pool": asked.get("pool"),
    }


def _default_s(http: Http, kind: str) -> float:
    """Return what bounds a thread where the request has no timeout of this kind."""
    return float({"connect": http.connect, "write": http.write}.get(kind, http.read))


def _outgoing(
    request: httpx.Request, call: HttpCall, waits: Waits, endpoint: Endpoint | None
) -> httpx.Request:
    """Return the request of one attempt. The caller's stays as it is: it may be sent again."""
    headers = request.headers.copy()
    for name, value in call.headers(remaining_s()).items():
        # Whoever set a trace knows better than we do.
        if name != "traceparent" or name not in headers:
            headers[name] = value
    url, extensions = request.url, {**request.extensions, "timeout": waits, CALL: call}
    if endpoint is not None:
        extensions.setdefault("sni_hostname", url.host)
        url = url.copy_with(host=endpoint.host, port=endpoint.port)
    return httpx.Request(
        request.method, url, headers=headers, stream=request.stream, extensions=extensions
    )


S = TypeVar("S", httpx.SyncByteStream, httpx.AsyncByteStream)


def _with_body(answer: httpx.Response, stream: S) -> httpx.Response:
    return httpx.Response(
        answer.status_code, headers=answer.headers, stream=stream, extensions=answer.extensions
    )


def _translated(call: HttpCall, error: httpx.TransportError, waits: Waits) -> MainstayError:
    """Return what an error of httpx means."""
    match error:
        case httpx.ConnectError() | httpx.ConnectTimeout() | httpx.PoolTimeout():
            return call.not_connected()
        case httpx.TimeoutException():
            return call.timed_out(
                waits["write" if isinstance(error, httpx.WriteTimeout) else "read"]
            )
        case httpx.LocalProtocolError() | httpx.UnsupportedProtocol():
            return call.unsendable()
        case _:
            return call.broken_off()


def _as_httpx(error: MainstayError) -> MainstayError:
    """Return the error as one of httpx too, of the nearest kind."""
    kind: type[httpx.TransportError] = httpx.TransportError
    if isinstance(error, ConnectFailed):
        kind = httpx.ConnectError
    elif isinstance(error, TimeoutError):
        kind = httpx.ReadTimeout
    elif isinstance(error, ConnectionError):
        kind = httpx.ReadError
    elif isinstance(error, CallUnsendable):
        kind = httpx.LocalProtocolError
    return also(error, kind, _request=None)
