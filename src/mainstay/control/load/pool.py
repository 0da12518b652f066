"""The connections to one origin: as many as requests are in flight, used last in, first out.

There is no queue. A request takes an idle connection or opens one of its own; whoever bounds the
requests in flight bounds the connections.
"""

import asyncio
import errno
import ssl
from dataclasses import dataclass

from mainstay.control.load.connection import Connection
from mainstay.control.load.exchange import Exchange, Failure, Finished, Outcome
from mainstay.core.clock import Clock

CLOSE_S_MAX = 2.0
"""How long closing waits for the event loop to have closed every connection."""
# The generator ran out of something: says nothing about the server.
_OWN_SHORTAGES = frozenset(
    {errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.ENOMEM}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where connections of an origin really go.

    Attributes:
        address: An IP address.
        port: 1 to 65535.
        tls: None for plain HTTP.
        server_name: Checked against the certificate; None without TLS.
    """

    address: str
    port: int
    tls: ssl.SSLContext | None = None
    server_name: str | None = None


class Pool:
    """Sends requests to one endpoint.

    Args:
        endpoint: Where to.
        clock: For times of exchanges.
        finished: Told about every exchange that was sent.
        timeout_s: Of a whole exchange.
        connect_timeout_s: To open a connection; never longer than ``timeout_s``.
        response_bytes_max: A larger body is a failure.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        clock: Clock,
        finished: Finished,
        timeout_s: float,
        connect_timeout_s: float,
        response_bytes_max: int,
    ) -> None:
        self.response_bytes_max = response_bytes_max
        self.opened = 0
        self.strays = 0
        self._endpoint = endpoint
        self._clock = clock
        self._told = finished
        self._timeout_s = timeout_s
        self._connect_timeout_s = min(connect_timeout_s, timeout_s)
        self._loop = asyncio.get_running_loop()
        # Dictionaries keep their order: popitem is last in, first out, and pop of one is O(1).
        self._idle: dict[Connection, None] = {}
        self._busy: dict[Connection, None] = {}
        self._opening: set[asyncio.Task[None]] = set()

    def send(self, exchange: Exchange) -> None:
        """Send a request now, on an idle connection or on a new one."""
        if self._idle:
            connection, _ = self._idle.popitem()
            self._begin(connection, exchange)
            return
        task = self._loop.create_task(self._open(exchange))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def close(self) -> None:
        """Close every connection; exchanges still on their way are forgotten, not told."""
        self._told = _forget
        for task in tuple(self._opening):
            task.cancel()
        await asyncio.gather(*self._opening, return_exceptions=True)
        for connection in (*self._idle, *self._busy):
            connection.abort()
        end_s = self._clock.monotonic_s() + CLOSE_S_MAX
        # A turn or two of the loop: an event for each connection would cost every request.
        while (self._idle or self._busy) and self._clock.monotonic_s() < end_s:  # noqa: ASYNC110
            await asyncio.sleep(0)

    async def _open(self, exchange: Exchange) -> None:
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                _, connection = await self._loop.create_connection(
                    self._connection,
                    self._endpoint.address,
                    self._endpoint.port,
                    ssl=self._endpoint.tls,
                    server_hostname=self._endpoint.server_name,
                )
        except OSError as error:
            self.finished(exchange, _no_connection(error))
            return
        self.opened += 1
        self._begin(connection, exchange)

    def _connection(self) -> Connection:
        return Connection(self)

    def _begin(self, connection: Connection, exchange: Exchange) -> None:
        self._busy[connection] = None
        exchange.written_s = self._clock.monotonic_s()
        left_s = self._timeout_s - (exchange.written_s - exchange.sent_s)
        exchange.give_up = self._loop.call_later(left_s, self._give_up, connection)
        connection.begin(exchange)

    def _give_up(self, connection: Connection) -> None:
        connection.fail(Failure.TIMEOUT, f"no complete response within {self._timeout_s:g} s")

    # What connections say.

    def finished(self, exchange: Exchange, outcome: Outcome) -> None:
        """Pass the outcome on."""
        if exchange.give_up is not None:
            exchange.give_up.cancel()
            exchange.give_up = None
        self._told(exchange, outcome)

    def idle(self, connection: Connection) -> None:
        """Take a connection back."""
        self._busy.pop(connection, None)
        self._idle[connection] = None

    def lost(self, connection: Connection) -> None:
        """Forget a connection."""
        self._busy.pop(connection, None)
        self._idle.pop(connection, None)

    def stray(self) -> None:
        """Count bytes that nobody had asked for."""
        self.strays += 1


def _no_connection(error: OSError) -> Outcome:
    if isinstance(error, TimeoutError):
        return Outcome(failure=Failure.CONNECT_TIMEOUT, detail="no connection in time")
    if isinstance(error, ConnectionRefusedError):
        return Outcome(failure=Failure.CONNECT_REFUSED, detail="nothing listens there")
    if isinstance(error, ssl.SSLCertVerificationError):
        return Outcome(
            failure=Failure.CONNECT_FAILED, detail=f"certificate: {error.verify_message}"
        )
    if error.errno in _OWN_SHORTAGES:
        return Outcome(failure=Failure.NOT_SENT, detail=f"the generator ran out: {error.strerror}")
    return Outcome(
        failure=Failure.CONNECT_FAILED, detail=error.strerror or error.__class__.__name__
    )


def _forget(exchange: Exchange, outcome: Outcome) -> None:
    del exchange, outcome
