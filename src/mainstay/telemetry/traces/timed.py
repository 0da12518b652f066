"""A socket that has until a moment for all that it does, however little comes each time."""

import io
import socket

from mainstay.core.clock import Clock


class Timed:
    """What ``http.client`` uses of a socket, bounded in all.

    Args:
        sock: Connected.
        clock: Where time comes from.

    Attributes:
        until_s: Monotonic; to be set before each use.
    """

    __slots__ = ("_clock", "_sock", "until_s")

    def __init__(self, sock: socket.socket, clock: Clock) -> None:
        self._sock = sock
        self._clock = clock
        self.until_s = 0.0

    def hurry(self) -> None:
        """Give the socket the time that is left.

        Raises:
            TimeoutError: None is.
        """
        left_s = self.until_s - self._clock.monotonic_s()
        if left_s <= 0:
            raise TimeoutError("no whole answer in time")
        self._sock.settimeout(left_s)

    def sendall(self, data: bytes) -> None:
        """Send all of it; the socket itself bounds that as a whole."""
        self.hurry()
        self._sock.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Return what reads the answer."""
        return io.BufferedReader(_Reader(self, self._sock.makefile("rb", buffering=0)))

    def close(self) -> None:
        """Close it, once what reads it is closed too."""
        self._sock.close()


class _Reader(io.RawIOBase):
    """Reads from a socket for as long as there is time."""

    def __init__(self, timed: Timed, raw: socket.SocketIO) -> None:
        self._timed = timed
        self._raw = raw

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int | None:  # type: ignore[override]  # What BufferedReader gives.
        self._timed.hurry()
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()
