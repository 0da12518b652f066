"""A server on loopback that misbehaves as the test says."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

Talk = Callable[[socket.socket], None]


class Fake:
    """Accepts connections and lets a function talk on each, in a thread; counts them.

    Args:
        talk: Returns when it has nothing more to say; the connection is closed then.
        tls: With which certificate; None: in the clear.
    """

    def __init__(self, talk: Talk, *, tls: ssl.SSLContext | None = None) -> None:
        self._talk = talk
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.connections = 0
        self.ended = threading.Event()
        self._threads = [threading.Thread(target=self._accept)]

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.ended.set()
        # Closing alone does not wake a thread that accepts.
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
        for one in self._threads:
            one.join()
        self._listener.close()

    def _accept(self) -> None:
        while not self.ended.is_set():
            stream, _ = self._listener.accept()
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(stream,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, stream: socket.socket) -> None:
        # The client may hang up whenever it likes.
        with stream, contextlib.suppress(OSError):
            stream.settimeout(60)
            if self._tls is None:
                self._talk(stream)
                return
            with self._tls.wrap_socket(stream, server_side=True) as secret:
                self._talk(secret)


def greet(stream: socket.socket) -> None:
    """Answer the greeting."""
    stream.recv(65_536)
    stream.sendall(b"+PONG\r\n")


def wait_for_the_end(stream: socket.socket) -> None:
    """Read until the client hangs up."""
    while stream.recv(65_536):
        pass
