"""A connection of threads over a pair of sockets; whole clients are in ``contract/valkey``."""

import socket
from collections.abc import Iterator

import pytest

from mainstay.core.clock import SYSTEM_CLOCK
from mainstay.state.valkey.thread_wire import ThreadWire
from mainstay.state.valkey.words import packed

Pair = tuple[ThreadWire, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Return a connection, and the server's end of it."""
    ours, theirs = socket.socketpair()
    theirs.settimeout(0.0)
    with theirs:
        wire = ThreadWire(ours, SYSTEM_CLOCK)
        yield wire, theirs
        wire.close()


@pytest.mark.parametrize("left_s", [0.0, -1e-9, -1.0])
def test_whose_time_is_up_before_he_asks_neither_sends_nor_waits(pair: Pair, left_s: float) -> None:
    """As one who got the connection late, or whose server's name took long to be found.

    The answer is there already, so that who would wait for ever without it fails at once.
    """
    wire, server = pair
    server.sendall(b"+PONG\r\n")
    now_s = SYSTEM_CLOCK.monotonic_s()
    with pytest.raises(TimeoutError):
        wire.ask(packed(("PING",)), now_s, now_s + left_s)
    with pytest.raises(BlockingIOError):
        server.recv(1)


def test_who_has_time_gets_the_answer(pair: Pair) -> None:
    wire, server = pair
    server.sendall(b"+PONG\r\n")
    now_s = SYSTEM_CLOCK.monotonic_s()
    assert wire.ask(packed(("PING",)), now_s, now_s + 30.0) == b"PONG"
    assert server.recv(64) == packed(("PING",))
