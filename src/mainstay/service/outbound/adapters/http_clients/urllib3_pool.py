"""urllib3's pools for calls through a policy: idle connections expire, and reads end in time.

urllib3 keeps idle connections for ever, and bounds each read of a thread but not their sum. Here a
connection that was idle for too long is replaced when its turn comes, and every read has at most
what is left of the deadline, so that a server that sends a byte a second can't go on for ever.
"""

import io
from collections.abc import Callable
from functools import partial
from http.client import HTTPResponse
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from mainstay.core.deadline import remaining_s
from mainstay.service.outbound.adapters.http_clients.wire import note_connected, note_opening

Now = Callable[[], float]


def pools(*, idle_s: float, now: Now) -> dict[str, Callable[..., HTTPConnectionPool]]:
    """Return what makes a pool, by scheme, as ``PoolManager.pool_classes_by_scheme`` has it.

    Args:
        idle_s: A connection that was idle for longer is not used again.
        now: Monotonic seconds.
    """
    return {
        "http": partial(_Pool, idle_s=idle_s, now=now),
        "https": partial(_TlsPool, idle_s=idle_s, now=now),
    }


class _BoundedReads(io.RawIOBase):
    """The reading side of a socket, each of whose reads ends with what is left of the deadline."""

    # Any: a socket, or TLS around one.
    def __init__(self, raw: io.RawIOBase, sock: Any) -> None:
        self._raw = raw
        self._sock = sock
        self._timeout_s: float | None = sock.gettimeout()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left_s = remaining_s()
        if left_s is not None:
            if left_s <= 0.0:
                raise TimeoutError("no time is left")
            self._sock.settimeout(min(left_s, self._timeout_s or left_s))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(HTTPResponse):
    # Any: the form of http.client's.
    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_BoundedReads(self.fp.detach(), sock))


class _Noted:
    """What both kinds of connection have beside urllib3's own."""

    idle_since_s = 0.0
    # Any: a socket, or TLS around one.
    sock: Any

    def connect(self) -> None:
        note_opening()
        super().connect()  # type: ignore[misc]  # Of the connection beside.
        note_connected()

    # Any: what is sent, as http.client takes it.
    def send(self, data: Any) -> None:
        left_s = remaining_s()
        if left_s is not None and self.sock is not None:
            # A body may be sent in many parts, each of which has the whole of the timeout.
            if left_s <= 0.0:
                raise TimeoutError("no time is left")
            self.sock.settimeout(min(left_s, self.sock.gettimeout() or left_s))
        super().send(data)  # type: ignore[misc]  # As above.


class _Connection(_Noted, HTTPConnection):
    response_class = _Response


class _TlsConnection(_Noted, HTTPSConnection):
    response_class = _Response


class _Expiring:
    """What both kinds of pool have beside urllib3's own."""

    # Any: urllib3's own arguments, as it takes them.
    def __init__(self, *args: Any, idle_s: float, now: Now, **kwargs: Any) -> None:
        self._idle_s = idle_s
        self._now = now
        super().__init__(*args, **kwargs)

    def _get_conn(self, timeout: float | None = None) -> Any:
        connection = super()._get_conn(timeout)  # type: ignore[misc]  # Of the pool beside.
        if self._now() - connection.idle_since_s > self._idle_s:
            # A closed one opens itself again.
            connection.close()
        return connection

    def _put_conn(self, connection: Any) -> None:
        if connection is not None:
            connection.idle_since_s = self._now()
        super()._put_conn(connection)  # type: ignore[misc]  # Of the pool beside.


class _Pool(_Expiring, HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(_Expiring, HTTPSConnectionPool):
    ConnectionCls = _TlsConnection
