"""Free ports of this machine, and who holds one that is not free."""

import errno
import os
import socket
from random import Random

import psutil

from mainstay.core.clock import Clock
from mainstay.core.errors import EngineRefused

HOST = "127.0.0.1"

AGAIN_AFTER_S = 60.0
"""A port that was handed out is not handed out again before: its new owner may not listen yet."""

SPAN = range(20_000, 32_768)
"""Below what Linux and macOS give to outgoing connections: from there one could take the port in
the second that its owner needs to start, and under load one in a hundred starts would fail."""

TRIES_MAX = 200
"""So many ports are looked at; after that the machine has none."""


class NoPortFree(EngineRefused):
    """The system has no free port to offer."""


class Ports:
    """Hands out free loopback ports, each to one owner.

    Another process could take the port before its owner listens. That is rare, and such an owner
    fails to start and gets another one.

    Args:
        clock: For the minute in which a port is not handed out again.
        rng: Chooses, so that two daemons of one machine do not meet; None makes one.
        span: What is chosen from.
    """

    def __init__(self, clock: Clock, *, rng: Random | None = None, span: range = SPAN) -> None:
        self._clock = clock
        self._rng = Random() if rng is None else rng
        self._span = span
        # Bounded by what is handed out within AGAIN_AFTER_S.
        self._handed_out: dict[int, float] = {}
        self._taken: set[int] = set()

    def taken(self, port: int) -> None:
        """Never hand out ``port`` again: it belongs to someone who may not listen all the time."""
        self._taken.add(port)

    def released(self, port: int) -> None:
        """Take back ``taken``; the port may be handed out again."""
        self._taken.discard(port)

    def free(self) -> int:
        """Return a port that is free now.

        Raises:
            NoPortFree: None of those that were looked at is free.
        """
        now_s = self._clock.monotonic_s()
        self._handed_out = {
            port: at_s for port, at_s in self._handed_out.items() if now_s - at_s < AGAIN_AFTER_S
        }
        for _ in range(TRIES_MAX):
            port = self._rng.choice(self._span)
            if port not in self._handed_out and port not in self._taken and is_free(HOST, port):
                self._handed_out[port] = now_s
                return port
        raise NoPortFree(f"no free port of {HOST} was found in {TRIES_MAX} tries")


def trouble(host: str, port: int) -> str | None:
    """Say in one sentence why nobody could listen on ``host:port``; None if one could."""
    try:
        with _family_socket(host) as candidate:
            # As a server would: connections that are only closing do not hold the port.
            candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            candidate.bind((host, port))
            candidate.listen(1)
    except OverflowError:
        return f"port {port} is not a port: they go from 1 to 65535"
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return f"port {port} is held by {holder(port) or 'another process'}"
        if error.errno == errno.EACCES:
            return f"port {port} needs rights that this user does not have"
        why = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
        return f"nobody can listen on {host}:{port}: {why}"
    return None


def is_free(host: str, port: int) -> bool:
    """Return whether a server could listen on ``host:port`` now."""
    return trouble(host, port) is None


def holder(port: int) -> str | None:
    """Return who listens on ``port``: ``process 123 (nginx)``; None if the system does not tell."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except (psutil.Error, OSError):
        # macOS tells only root.
        return None
    for connection in connections:
        local = connection.laddr
        if connection.status == psutil.CONN_LISTEN and local and local.port == port:
            if connection.pid is None:
                return None
            return _described(connection.pid)
    return None


def _described(pid: int) -> str:
    try:
        return f"process {pid} ({psutil.Process(pid).name()})"
    except psutil.Error:
        return f"process {pid}"


def _family_socket(host: str) -> socket.socket:
    return socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
