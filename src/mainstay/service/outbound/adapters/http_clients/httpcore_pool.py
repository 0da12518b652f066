"""httpx's own transports with a pool that a call through a policy needs.

Three things differ from the pool that httpx makes. A request on an idle connection that the server
had closed is sent once more, where it may be. The pool never lets a request wait, since the
bulkhead does. And where a thread reads, every read is bounded by what is left, so that a server
that sends a byte a second can't go on for ever.
"""

from collections.abc import Iterable
from ssl import SSLContext
from typing import TYPE_CHECKING, Any

import httpcore
import httpx
from httpcore import SOCKET_OPTION

from mainstay.core.deadline import remaining_s
from mainstay.service.outbound.adapters.http_clients.options import Http
from mainstay.service.outbound.adapters.http_clients.wire import Wire, note_opening

if TYPE_CHECKING:
    from mainstay.service.outbound.adapters.http_clients.call import HttpCall

CALL = "mainstay_call"
"""The key of a request's extensions under which the pool finds the call."""

_STALE = (httpx.NetworkError, httpx.RemoteProtocolError)


class AsyncPool(httpx.AsyncHTTPTransport):
    """The asynchronous transport.

    Args:
        http: Options.
        idle_max: How many connections may be idle at once.
    """

    def __init__(self, http: Http, idle_max: int) -> None:
        # Not through super(): it would make a pool first, and that pool's backend is its own.
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=http.tls or httpx.create_ssl_context(),
            max_connections=None,
            max_keepalive_connections=idle_max,
            keepalive_expiry=float(http.idle),
            network_backend=_AsyncBackend(),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, and once more on another connection where the first one was stale."""
        call: HttpCall = request.extensions[CALL]
        with Wire() as wire:
            try:
                return await super().handle_async_request(request)
            except _STALE:
                if not wire.was_stale(call):
                    raise
        return await super().handle_async_request(request)


class Pool(httpx.HTTPTransport):
    """The synchronous transport. Arguments as those of ``AsyncPool``."""

    def __init__(self, http: Http, idle_max: int) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=http.tls or httpx.create_ssl_context(),
            max_connections=None,
            max_keepalive_connections=idle_max,
            keepalive_expiry=float(http.idle),
            network_backend=_Backend(),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, and once more on another connection where the first one was stale."""
        call: HttpCall = request.extensions[CALL]
        with Wire() as wire:
            try:
                return super().handle_request(request)
            except _STALE:
                if not wire.was_stale(call):
                    raise
        return super().handle_request(request)


class _AsyncBackend(httpcore.AnyIOBackend):
    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  The form of httpcore's.
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        note_opening()
        return await super().connect_tcp(host, port, timeout, local_address, socket_options)


class _Backend(httpcore.SyncBackend):
    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        note_opening()
        return _BoundedStream(
            super().connect_tcp(host, port, timeout, local_address, socket_options)
        )


class _BoundedStream(httpcore.NetworkStream):
    """A stream each of whose reads and writes ends with what is left of the deadline."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _least_s(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _least_s(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        return _BoundedStream(self._stream.start_tls(ssl_context, server_hostname, timeout))

    # Any: what is asked for decides.
    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _least_s(timeout_s: float | None, too_late: type[httpcore.TimeoutException]) -> float | None:
    left_s = remaining_s()
    if left_s is None:
        return timeout_s
    if left_s <= 0.0:
        raise too_late("no time is left")
    return left_s if timeout_s is None else min(timeout_s, left_s)
