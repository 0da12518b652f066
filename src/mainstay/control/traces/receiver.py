"""The OTLP receiver in the daemon: on loopback, for this user's replicas alone.

The daemon's loop reads requests; one thread unpacks, reads and writes what came, so that no batch
of spans holds up what keeps the system running. Whoever sends more than that thread does is asked
to come again.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from mainstay.control.traces.answer import Answer
from mainstay.control.traces.connection import Connection
from mainstay.control.traces.door import HOST, Door
from mainstay.control.traces.intake import Letter, take
from mainstay.control.traces.ring import Ring
from mainstay.core.clock import Clock
from mainstay.core.events import Event

CONNECTIONS_MAX: Final = 256
"""Worker processes of all replicas that have spans at one time."""

HELD_BYTES_MAX: Final = 16 * 2**20
"""Of bodies that are not dealt with yet, of all connections together."""

EXPIRE_S: Final = 3600.0
"""Between two looks for what is too old."""

_BUSY = Answer(status=HTTPStatus.SERVICE_UNAVAILABLE, said="the spans could not be written")
_BROKEN = Answer(status=HTTPStatus.INTERNAL_SERVER_ERROR, said="the receiver failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class SpansTrouble(Event):
    """Spans can't be received or kept; services go on."""

    reason: str


class Receiver:
    """Listens at a door and fills a ring. Owned by one event loop.

    Args:
        door: Where, and by which word senders are known.
        ring: Where spans go; used by the receiver's thread alone.
        clock: Stamps.
        emit: Told of trouble, once until it is over.

    Attributes:
        token: What a sender shows.
    """

    def __init__(
        self, *, door: Door, ring: Ring, clock: Clock, emit: Callable[[Event], None]
    ) -> None:
        self.token = door.token
        self._port = door.port
        self._ring = ring
        self._clock = clock
        self._emit = emit
        self._connections: set[Connection] = set()
        self._held_bytes = 0
        self._trouble: str | None = None
        self._server: asyncio.Server | None = None
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spans")
        self._expiry: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """Listen. Raises OSError if the port is another's."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self), HOST, self._port)
        self._expire()

    async def stop(self) -> None:
        """Stop listening, end every connection, and write what was taken."""
        if self._server is not None:
            self._server.close()
        if self._expiry is not None:
            self._expiry.cancel()
        for connection in tuple(self._connections):
            connection.close()
        # What waits is at most HELD_BYTES_MAX: a second's work.
        await asyncio.get_running_loop().run_in_executor(None, self._worker.shutdown)

    # What the connections ask -----------------------------------------------------------------

    def opened(self, connection: Connection) -> bool:
        """Take a connection in, if there is room."""
        if len(self._connections) >= CONNECTIONS_MAX:
            return False
        self._connections.add(connection)
        return True

    def closed(self, connection: Connection) -> None:
        """Forget a connection."""
        self._connections.discard(connection)

    def room(self, size: int) -> bool:
        """Hold so many bytes more, if the bound admits it."""
        if self._held_bytes + size > HELD_BYTES_MAX:
            return False
        self._held_bytes += size
        return True

    def freed(self, size: int) -> None:
        """Hold so many bytes less."""
        self._held_bytes -= size

    def came(self, connection: Connection, letter: Letter) -> None:
        """Have a letter dealt with, and answer it then."""
        loop = asyncio.get_running_loop()
        work = self._worker.submit(take, letter, self._ring, self._clock.wall_s)
        work.add_done_callback(
            lambda done: loop.call_soon_threadsafe(self._answer, connection, done)
        )

    def _answer(self, connection: Connection, done: "Future[Answer]") -> None:
        error = done.exception()
        connection.answer(done.result() if error is None else self._failed(error))
        if error is None:
            self._trouble = None

    def _failed(self, error: BaseException) -> Answer:
        if isinstance(error, OSError):
            self._tell(f"spans can't be kept: {error.strerror or error}")
            return _BUSY
        # A defect: it must be seen, and end neither the daemon nor the sender.
        asyncio.get_running_loop().call_exception_handler(
            {"message": "mainstay: the receiver of spans failed", "exception": error}
        )
        return _BROKEN

    def _expire(self) -> None:
        loop = asyncio.get_running_loop()
        work = self._worker.submit(self._ring.expire, self._clock.wall_s())
        work.add_done_callback(lambda done: loop.call_soon_threadsafe(self._expired, done))
        self._expiry = loop.call_later(EXPIRE_S, self._expire)

    def _expired(self, done: "Future[None]") -> None:
        error = done.exception()
        if error is not None:
            self._failed(error)

    def _tell(self, reason: str) -> None:
        if reason != self._trouble:
            self._trouble = reason
            self._emit(SpansTrouble(at_s=self._clock.wall_s(), reason=reason))
