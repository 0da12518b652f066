"""A server that is killed, hangs, and comes back, under load: nobody waits, and all find back."""

import re
import socket
import statistics
from typing import TYPE_CHECKING

import pytest
from tests.contract.stores.servers import Valkey as Server
from tests.contract.stores.servers import until
from tests.contract.valkey.askers import WAITS_S, Account, Asker, Tasks
from tests.contract.valkey.conftest import Connect

from mainstay.core.clock import SYSTEM_CLOCK, pause
from mainstay.core.errors import StoreUnavailable
from mainstay.state.valkey import StoreAway, StoreBack

if TYPE_CHECKING:
    from mainstay.core.events import Event

CALLERS = 8


class World:
    """A server and callers that ask it all the time."""

    def __init__(self, server: Server, asker: Asker) -> None:
        self.server = server
        self.account = Account()
        self.events: list[type[Event]] = []
        asker.valkey.events.add(lambda event: self.events.append(type(event)))

    def some_more(self, ends_s: list[float], calls: int = 50) -> None:
        """Wait until so many more calls have ended in this way."""
        before = len(ends_s)
        until(lambda: len(ends_s) >= before + calls)

    def none_waited(self) -> None:
        """The bound is 50 ms. A busy machine may hold anybody up, but not for long, nor often."""
        assert max(self.account.waits_s) < WAITS_S
        late = sum(one > 0.075 for one in self.account.waits_s)
        assert late <= len(self.account.waits_s) / 20


def test_killed_and_started_again(server: Server, connect: Connect) -> None:
    asker = connect(server.url)
    world = World(server, asker)
    with asker.load(CALLERS, world.account):
        world.some_more(world.account.served_at_s)
        server.kill()
        world.some_more(world.account.refused_at_s)
        known_s = SYSTEM_CLOCK.monotonic_s()
        world.some_more(world.account.refused_at_s, 200)
        server.start()
        world.some_more(world.account.served_at_s, 200)
    world.none_waited()
    assert world.account.refused_at_s[-1] > known_s
    assert world.events[:2] == [StoreAway, StoreBack]


def test_hangs_and_goes_on(server: Server, connect: Connect) -> None:
    """Once it is known to hang, nobody waits at all."""
    asker = connect(server.url)
    world = World(server, asker)
    with asker.load(CALLERS, world.account):
        world.some_more(world.account.served_at_s)
        server.pause()
        try:
            world.some_more(world.account.refused_at_s, CALLERS * 2)
            known = len(world.account.waits_s)
            world.some_more(world.account.refused_at_s, 400)
            while_known_s = world.account.waits_s[known:]
        finally:
            server.resume()
        world.some_more(world.account.served_at_s, 200)
    world.none_waited()
    assert statistics.median(while_known_s) < 0.01
    assert StoreAway in world.events
    assert world.events[-1] is StoreBack


@pytest.mark.parametrize("state", ["killed", "hung"])
def test_a_first_call_finds_nobody(server: Server, connect: Connect, state: str) -> None:
    """Within the bound where it hangs, and then at once."""
    if state == "killed":
        server.kill()
    else:
        server.pause()
    try:
        asker = connect(server.url)
        for _ in range(3):
            began_s = SYSTEM_CLOCK.monotonic_s()
            with pytest.raises(StoreUnavailable):
                asker.ask("INCR", "a")
            assert SYSTEM_CLOCK.monotonic_s() - began_s < WAITS_S
    finally:
        if state == "killed":
            server.start()
        else:
            server.resume()

    def answers() -> bool:
        try:
            return asker.ask("PING") == b"PONG"
        except StoreUnavailable:
            return False

    until(answers)


def cut_all(server: Server, *, heard: bool = False, at_work: bytes = b"") -> None:
    """Have the server hang up on everybody, as its own time-out or a load balancer does.

    Args:
        server: A real one.
        heard: Wait until somebody has heard of it, and has come back.
        at_work: A command in lower case: only those are cut that have said it last. One that is cut
            in the midst of its greeting would be a server that doesn't serve.
    """
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as wire:

        def known(pattern: bytes = rb"\bid=(\d+) addr") -> set[bytes]:
            wire.sendall(b"CLIENT LIST TYPE normal\r\n")
            return set(re.findall(pattern, wire.recv(65_536)))

        if at_work:
            before = known(rb"\bid=(\d+) addr[^\n]* cmd=" + at_work)
            for one in before:
                wire.sendall(b"CLIENT KILL ID %b\r\n" % one)
                assert wire.recv(64).startswith(b":")
            assert before
            until(lambda: not before & known())
            return
        before = known()
        wire.sendall(b"CLIENT KILL TYPE normal SKIPME yes\r\n")
        assert wire.recv(64).startswith(b":")
        # It hangs up a moment after it said so; the one that stays is this.
        until(lambda: len(before & known()) == 1)
        if heard:
            until(lambda: bool(known() - before))


def test_an_idle_connection_that_was_cut_fails_nobody(server: Server, connect: Connect) -> None:
    asker = connect(server.url, timeout_s=30.0)
    for _ in range(2):
        assert asker.ask("PING") == b"PONG"
        pause(1.1)  # Threads look at a connection that idled for a second.
        # Tasks hear of the end as it comes; threads only when they look.
        cut_all(server, heard=isinstance(asker, Tasks))
        assert asker.ask("PING") == b"PONG"


def test_one_cut_under_load_is_mended_at_once(server: Server, connect: Connect) -> None:
    """Those on their way hear of it; nobody else does, since the server is there."""
    asker = connect(server.url, timeout_s=30.0)
    world = World(server, asker)
    with asker.load(CALLERS, world.account):
        for _ in range(3):
            world.some_more(world.account.served_at_s, 100)
            cut_all(server, at_work=b"incr")
        world.some_more(world.account.served_at_s, 100)
    assert len(world.account.refused_at_s) <= 3 * CALLERS
    assert StoreAway not in world.events
