"""One blocking connection, used by one thread at a time."""

import contextlib
import errno
import select
import socket
import ssl
from typing import Literal

from mainstay.core.clock import Clock
from mainstay.state.valkey.address import Address
from mainstay.state.valkey.bounds import ANSWER_BYTES_MAX
from mainstay.state.valkey.reasons import ENDED, TOO_LONG, UNASKED
from mainstay.state.valkey.resp import ProtocolError, Reader, ReplyError
from mainstay.state.valkey.words import Heard, packed_greeting

_FIRST_BYTES = 4096
"""Asked for at first: most answers are a few bytes, and room for what is asked for is made."""

_CHUNK_BYTES = 65_536

_NOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Greeted(OSError):
    """The server answered the greeting with an error."""


class ThreadWire:
    """An open connection. Whoever gets an error from it closes it.

    Args:
        stream: Connected.
        clock: For the bounds of answers that come in pieces, and to know how long it idles.

    Attributes:
        used_s: When it was asked last, monotonic.
        answered: Whether it ever answered a call.
    """

    __slots__ = (
        "_clock_s", "_encrypted", "_poll", "_reader", "_stream", "answered", "used_s",
    )  # fmt: skip

    def __init__(self, stream: socket.socket, clock: Clock) -> None:
        # We wait by ourselves. A socket with a timeout asks the kernel three times more for each
        # call: to set it, whether it may send, and whether it may receive.
        stream.settimeout(0.0)
        self._stream = stream
        self._encrypted = isinstance(stream, ssl.SSLSocket)
        self._reader = Reader()
        poll = select.poll()
        poll.register(stream, select.POLLIN)
        self._poll = poll.poll
        self._clock_s = clock.monotonic_s
        self.used_s = self._clock_s()
        self.answered = False

    def ask(self, packed: bytes, now_s: float, until_s: float) -> Heard:
        """Send a command and return its answer, which may be an error's.

        Args:
            packed: The command.
            now_s: The present.
            until_s: When to give up.

        Raises:
            TimeoutError: No whole answer until then.
            OSError: The connection broke.
            ProtocolError: What came is no RESP, or more than was asked for.
        """
        left_s = until_s - now_s
        if left_s <= 0.0:
            # Before anything is sent. And a poll for less than nothing would wait for ever.
            raise TimeoutError
        self.used_s = now_s
        stream, reader = self._stream, self._reader
        try:
            sent = stream.send(packed)
        except _NOT_NOW:
            sent = 0
        if sent != len(packed):
            self._send_rest(packed[sent:], until_s)
            reply = self._hear(until_s)
        # What is encrypted may have been read before: then nothing would wake us.
        elif self._encrypted:
            reply = self._hear(until_s)
        elif not self._poll(left_s * 1000.0):
            raise TimeoutError
        else:
            # As `_hear`, for the answer that is there in one piece: nearly all are.
            data = stream.recv(_FIRST_BYTES)
            reader.feed(data)
            reply = reader.gets() if data else False
            if reply is False:
                reply = self._hear(until_s, heard_bytes=len(data))
        if reader.has_data():
            # The next caller would take it for his.
            raise ProtocolError(UNASKED)
        self.answered = True
        return reply

    def is_stale(self) -> bool:
        """Return whether the server hung up, or said what nobody asked."""
        return bool(self._poll(0))

    def close(self) -> None:
        """Close it."""
        with contextlib.suppress(OSError):
            self._stream.close()

    def _hear(self, until_s: float, heard_bytes: int = 0) -> Heard:
        """Return an answer, in however many pieces it comes; raise as ``ask`` does."""
        reader = self._reader
        while heard_bytes <= ANSWER_BYTES_MAX:
            left_s = self._left_s(until_s)
            try:
                data = self._stream.recv(_CHUNK_BYTES)
            except _NOT_NOW:
                self._poll(left_s * 1000.0)
                continue
            if not data:
                raise ConnectionResetError(errno.ECONNRESET, ENDED)
            heard_bytes += len(data)
            reader.feed(data)
            reply: Heard | Literal[False] = reader.gets()
            if reply is not False:
                return reply
        raise ConnectionAbortedError(TOO_LONG)

    def _send_rest(self, packed: bytes, until_s: float) -> None:
        """Send what the kernel did not take at once; raise as ``ask`` does."""
        poll, rest = select.poll(), memoryview(packed)
        poll.register(self._stream, select.POLLOUT)
        while rest:
            poll.poll(self._left_s(until_s) * 1000.0)
            with contextlib.suppress(*_NOT_NOW):
                rest = rest[self._stream.send(rest) :]

    def _left_s(self, until_s: float) -> float:
        left_s = until_s - self._clock_s()
        if left_s <= 0.0:
            raise TimeoutError
        return left_s


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
        _greet(wire, address, clock, until_s)
    except BaseException:
        stream.close()
        raise
    wire.answered = False
    return wire


def _greet(wire: ThreadWire, address: Address, clock: Clock, until_s: float) -> None:
    for packed in packed_greeting(address):
        said = wire.ask(packed, clock.monotonic_s(), until_s)
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
