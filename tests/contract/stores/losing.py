"""A wire to a Valkey on which the answer to one command gets lost: it was done, nobody knows."""

import contextlib
import socket
import threading
from typing import Self


class Losing:
    """Passes on what comes, and breaks the connection in place of one answer.

    Args:
        port: The server's, on the loopback.
        command: The first request with this command in it loses its answer.

    Attributes:
        port: Of the wire.
        times: How many requests with the command arrived.
    """

    def __init__(self, port: int, command: str) -> None:
        self.times = 0
        self._server = port
        self._word = f"\r\n{command}\r\n".encode()
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._door.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]
        self._wires: list[socket.socket] = []

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        # What a thread waits in ends by a shutdown alone.
        for wire in (self._door, *self._wires):
            with contextlib.suppress(OSError):
                wire.shutdown(socket.SHUT_RDWR)
            wire.close()
        for thread in list(self._threads):
            thread.join()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._door.accept()
                server = socket.create_connection(("127.0.0.1", self._server))
                self._wires += (client, server)
                thread = threading.Thread(target=self._pass_on, args=(client, server))
                self._threads.append(thread)
                thread.start()

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError), client, server:
            while request := client.recv(65_536):
                server.sendall(request)
                answer = server.recv(65_536)
                if self._word in request:
                    self.times += 1
                    if self.times == 1:
                        return
                client.sendall(answer)
