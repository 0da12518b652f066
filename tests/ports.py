"""Ports of loopback for real processes."""

import random
import socket

_FREE = range(10_000, 20_000)
"""Below those that the system gives to clients, who would take one between asking and listening;
and below those that the engine gives to replicas."""

_TRIES = 1_000
# Not the module's own generator, which is seeded anew for every test, alike in every worker.
_RNG = random.SystemRandom()


def free_port() -> int:
    """Return a port that nobody listens on now; it isn't kept for the caller."""
    for _ in range(_TRIES):
        port = _RNG.choice(_FREE)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free")
