"""What ``serve`` is told on its command line."""

import argparse
import socket
from dataclasses import dataclass

from mainstay.spec.kinds.units import UnitError, duration_s

THREADS_MAX = 512
"""As ``run.threads``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """A parsed command line.

    Attributes:
        app: ``module:attribute``; with ``()`` at its end the attribute is called.
        host: Address to listen on; of a name, the first that it stands for.
        port: Port to listen on.
        server: ``granian`` or ``uvicorn``.
        interface: ``auto``, ``asgi`` or ``wsgi``.
        threads: Requests that a WSGI app works on at once.
        drain_s: The drain's bound; None means as the app's declaration says.
        drain_delay_s: The drain's delay; None as above.
        probe_port: Port at which a thread of its own answers probes of a wrapped app too; None:
            there is none.
    """

    app: str
    host: str
    port: int
    server: str
    interface: str
    threads: int
    drain_s: float | None
    drain_delay_s: float | None
    probe_port: int | None = None


def parse(argv: list[str] | None) -> Options:
    """Read a command line; None reads the process's own. Exits with code 2 where it is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m mainstay.service.inbound.serve",
        description="Serve one ASGI or WSGI app in one process.",
    )
    parser.add_argument("--app", required=True, help="module:attribute; () calls it first")
    parser.add_argument("--port", required=True, type=_port)
    parser.add_argument("--host", default="127.0.0.1", type=_host, help="an address, or a name")
    parser.add_argument("--server", default="granian", choices=("granian", "uvicorn"))
    parser.add_argument("--interface", default="auto", choices=("auto", "asgi", "wsgi"))
    parser.add_argument("--threads", default=16, type=_threads, help="of a WSGI app, 1 to 512")
    parser.add_argument("--drain", type=_duration, help="as inbound.drain; without it, as declared")
    parser.add_argument("--drain-delay", type=_duration, help="as inbound.drain_delay")
    parser.add_argument("--probe-port", type=_port, help="answer health of a wrapped app there too")
    given = parser.parse_args(argv)
    return Options(
        app=given.app,
        host=given.host,
        port=given.port,
        server=given.server,
        interface=given.interface,
        threads=given.threads,
        drain_s=given.drain,
        drain_delay_s=given.drain_delay,
        probe_port=given.probe_port,
    )


def _host(text: str) -> str:
    """Return an address: servers differ in whether they take names."""
    try:
        found = socket.getaddrinfo(text, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise argparse.ArgumentTypeError(f"not an address, and no name of one: {text}") from error
    return str(found[0][4][0])


def _port(text: str) -> int:
    port = int(text)
    if not 0 < port < 2**16:
        raise argparse.ArgumentTypeError(f"not a port: {text}")
    return port


def _threads(text: str) -> int:
    threads = int(text)
    if not 0 < threads <= THREADS_MAX:
        raise argparse.ArgumentTypeError(f"not between 1 and {THREADS_MAX}: {text}")
    return threads


def _duration(text: str) -> float:
    try:
        return duration_s(text)
    except UnitError as error:
        raise argparse.ArgumentTypeError(f"{error} (write 20s)") from error
