"""One blocking connection, used by one thread at a time."""

import contextlib
import errno
import select
import socket

from mainstay.core.clock import Clock
from mainstay.state.valkey.address import Address
from mainstay.state.valkey.bounds import ANSWER_BYTES_MAX
from mainstay.state.valkey.reasons import ENDED, TOO_LONG
from mainstay.state.valkey.resp import Reader, ReplyError
from mainstay.state.valkey.words import Reply, packed_greeting

_CHUNK_BYTES = 65_536


class Greeted(OSError):
    """The server answered the greeting with an error."""


class ThreadWire:
    """An open connection. Whoever gets an error from it closes it.

    Args:
        stream: Connected.
        clock: For the bounds of answers that come in pieces, and to know how long it idles.

    Attributes:
        used_s: When it answered last, monotonic.
        answered: Whether it ever answered a call.
    """

    __slots__ = ("_clock_s", "_reader", "_stream", "answered", "used_s")

    def __init__(self, stream: socket.socket, clock: Clock) -> None:
        self._stream = stream
        self._reader = Reader()
        self._clock_s = clock.monotonic_s
        self.used_s = self._clock_s()
        self.answered = False

    def ask(self, packed: bytes, until_s: float) -> Reply | ReplyError:
        """Send a command and return its answer, which may be an error's.

        Raises:
            TimeoutError: No whole answer until then.
            OSError: The connection broke.
            ProtocolError: What came is no RESP.
        """
        stream, reader = self._stream, self._reader
        self._allow(until_s)
        stream.sendall(packed)
        heard_bytes = 0
        while True:
            data = stream.recv(_CHUNK_BYTES)
            if not data:
                raise ConnectionResetError(errno.ECONNRESET, ENDED)
            reader.feed(data)
            reply: Reply | ReplyError | bool = reader.gets()
            if not isinstance(reply, bool):
                self.used_s = self._clock_s()
                self.answered = True
                return reply
            heard_bytes += len(data)
            if heard_bytes > ANSWER_BYTES_MAX:
                raise ConnectionAbortedError(TOO_LONG)
            self._allow(until_s)

    def is_stale(self) -> bool:
        """Return whether the server hung up, or said what nobody asked."""
        poll = select.poll()
        poll.register(self._stream, select.POLLIN)
        return bool(poll.poll(0))

    def close(self) -> None:
        """Close it."""
        with contextlib.suppress(OSError):
            self._stream.close()

    def _allow(self, until_s: float) -> None:
        left_s = until_s - self._clock_s()
        if left_s <= 0:
            raise TimeoutError
        self._stream.settimeout(left_s)


def open_wire(address: Address, timeout_s: float, clock: Clock) -> ThreadWire:
    """Connect and greet.

    Looking up a name takes as long as the system lets it: call this where nobody waits.

    Raises:
        OSError: It can't be reached, or does not serve.
        ProtocolError: What came is no RESP.
    """
    until_s = clock.monotonic_s() + timeout_s
    stream = _connect(address, timeout_s)
    try:
        if address.tls is not None:
            stream.settimeout(max(0.001, until_s - clock.monotonic_s()))
            stream = address.tls.wrap_socket(stream, server_hostname=address.host)
        wire = ThreadWire(stream, clock)
        _greet(wire, address, until_s)
    except BaseException:
        stream.close()
        raise
    wire.answered = False
    return wire


def _greet(wire: ThreadWire, address: Address, until_s: float) -> None:
    for packed in packed_greeting(address):
        said = wire.ask(packed, until_s)
        if isinstance(said, ReplyError):
            # Only its first word: the rest may hold what was sent.
            code = str(said).partition(" ")[0][:40]
            raise Greeted(f"it answered the greeting with {code}")


def _connect(address: Address, timeout_s: float) -> socket.socket:
    if address.path is None:
        stream = socket.create_connection((address.host, address.port), timeout_s)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return stream
    stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        stream.settimeout(timeout_s)
        stream.connect(address.path)
    except BaseException:
        stream.close()
        raise
    return stream
