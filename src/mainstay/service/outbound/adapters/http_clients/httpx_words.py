"""From httpx's words to ours and back: requests, answers and errors. Pure."""

from typing import TypeVar

import httpx

from mainstay.core.errors import MainstayError
from mainstay.service.outbound.adapters.errors import CallUnsendable, ConnectFailed, also
from mainstay.service.outbound.adapters.http_clients.call import HttpCall, bounded_s
from mainstay.service.outbound.adapters.http_clients.httpcore_pool import CALL
from mainstay.service.outbound.adapters.http_clients.options import Http
from mainstay.service.outbound.adapters.place import Lost
from mainstay.service.outbound.balance import Endpoint
from mainstay.service.outbound.policy import Policy

WHOLE = "mainstay_whole"
"""The key of a request's extensions under which a client says that it reads the whole answer."""

_SENT = "mainstay_sent"
"""The key of a response's extensions under which its body is, as it was sent."""

_OF_NO_MATTER = frozenset({"timeout", "trace", WHOLE})
"""Keys of a request's extensions that make no other question of it."""

Waits = dict[str, float | None]
"""Timeouts in seconds by kind, as httpx has them: connect, read, write and pool."""


def between(request: httpx.Request) -> dict[str, object]:
    """Return what says whom a request asks, and is not in its URL: ``sni_hostname``, ``target``."""
    found = request.extensions.items()
    return {name: value for name, value in found if name not in _OF_NO_MATTER}


def call_of(request: httpx.Request, policy: Policy, http: Http, lost: Lost) -> HttpCall:
    """Return the call for a request."""
    return HttpCall(
        policy,
        http,
        lost,
        method=request.method,
        key=request.headers.get("Idempotency-Key"),
        replayable=isinstance(request.stream, httpx.ByteStream),
        whole=request.extensions.get(WHOLE),
    )


def waits_of(request: httpx.Request, http: Http, left_s: float | None, *, in_thread: bool) -> Waits:
    """Return the timeouts of one attempt: the request's own, else those of the options.

    Args:
        request: The caller's.
        http: Options.
        left_s: Seconds left for the attempt, or None.
        in_thread: Whether the client must end by itself. A task is cut off anyhow, so there a
            timeout is set only where it is sooner.
    """
    asked = request.extensions.get("timeout", {})
    waits: Waits = {}
    for kind in ("connect", "read", "write", "pool"):
        # For the pool nobody waits: the bulkhead stands before it.
        default_s = float(getattr(http, kind, http.connect))
        own_s = asked.get(kind, default_s)
        if in_thread:
            waits[kind] = bounded_s(own_s, default_s, left_s)
        else:
            waits[kind] = own_s if own_s is not None and _is_sooner(own_s, left_s) else None
    return waits


def _is_sooner(own_s: float, left_s: float | None) -> bool:
    return left_s is None or own_s < left_s


def outgoing(  # noqa: PLR0917  Of one attempt, in its order.
    request: httpx.Request,
    call: HttpCall,
    waits: Waits,
    endpoint: Endpoint | None,
    left_s: float | None,
    span_id: str | None,
) -> httpx.Request:
    """Return the request of one attempt. The caller's stays as it is: it may be sent again."""
    headers = request.headers.copy()
    headers.update(call.headers(left_s, headers, span_id))
    url, extensions = request.url, {**request.extensions, "timeout": waits, CALL: call}
    if endpoint is not None:
        extensions.setdefault("sni_hostname", url.host)
        url = url.copy_with(host=endpoint.host, port=endpoint.port)
    return httpx.Request(
        request.method, url, headers=headers, stream=request.stream, extensions=extensions
    )


S = TypeVar("S", httpx.SyncByteStream, httpx.AsyncByteStream)


def streamed(call: HttpCall, answer: httpx.Response, stream: S) -> httpx.Response:
    """Return an answer whose body is still to come, from ``stream``."""
    made = _with_body(answer, stream)
    call.answered(made, made.status_code, made.headers, None)
    return made


def whole(call: HttpCall, answer: httpx.Response, body: bytes) -> httpx.Response:
    """Return an answer with all of its body, as it was sent."""
    made = _with_body(answer, httpx.ByteStream(body))
    made.extensions[_SENT] = body
    call.answered(made, made.status_code, made.headers, len(body))
    return made


def shown(call: HttpCall, answer: object, request: httpx.Request) -> httpx.Response:
    """Return the answer, or one that is made from what stands in for it."""
    found: httpx.Response = call.shown(answer, request, httpx.Response, _another)
    return found


def _another(answer: httpx.Response, _request: httpx.Request) -> httpx.Response:
    """Return a response like one that was kept, or that the user made."""
    headers = answer.headers.copy()
    body = answer.extensions.get(_SENT)
    if body is None:
        # The user's own has its body unpacked already.
        body = answer.content
        headers.pop("Content-Encoding", None)
    return httpx.Response(
        answer.status_code, headers=headers, stream=httpx.ByteStream(body), extensions={_SENT: body}
    )


def _with_body(answer: httpx.Response, stream: S) -> httpx.Response:
    return httpx.Response(
        answer.status_code, headers=answer.headers, stream=stream, extensions=answer.extensions
    )


def translated(call: HttpCall, error: httpx.TransportError, waits: Waits) -> MainstayError:
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


def as_httpx(error: MainstayError) -> MainstayError:
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
