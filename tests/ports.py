"""Ports of loopback for real processes."""

import socket


def free_port() -> int:
    """Return a port that nobody listens on now; it isn't kept for the caller."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
