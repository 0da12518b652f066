"""Two processes that share a circuit through a real Valkey, which is killed and started again."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import IO

import pytest
from tests.contract.stores.servers import PartNotFound, Valkey, until

pytestmark = pytest.mark.system

PEER = """
import json, sys, threading
from mainstay import Breaker, Policy
from mainstay.core.clock import SYSTEM_CLOCK, pause
from mainstay.core.errors import CircuitOpen
from mainstay.state.breakers import SharedBreakers
from mainstay.state.valkey import Valkey

breakers = SharedBreakers(Valkey(sys.argv[1]))
policy = Policy(
    name="payments", breaker=Breaker(failures=3, open="60s", successes=1),
    shared=breakers.of("payments"),
)
orders = {"fails": False}

def listen():
    for line in sys.stdin:
        if line.strip() == "reset":
            policy.breaker.reset()
            orders["fails"] = False
        else:
            orders["fails"] = line.strip() == "fail"
    orders["ended"] = True

threading.Thread(target=listen, daemon=True).start()

def job():
    if orders["fails"]:
        raise ConnectionError

was, longest_s = None, 0.0
while "ended" not in orders:
    began_s = SYSTEM_CLOCK.monotonic_s()
    try:
        policy.call(job)
    except (ConnectionError, CircuitOpen):
        pass
    now_s = SYSTEM_CLOCK.monotonic_s()
    longest_s = max(longest_s, now_s - began_s)
    if policy.breaker.state.value != was:
        was = policy.breaker.state.value
        print(json.dumps({"state": was, "at_s": now_s}), flush=True)
    pause(0.005)
print(json.dumps({"longest_s": longest_s}), flush=True)
"""


class Peer:
    """A process that calls a dependency all the time, and says when its circuit changes."""

    def __init__(self, url: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", PEER, url],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.said: list[dict[str, object]] = []
        assert self._process.stdout is not None
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout,))
        self._reader.start()
        until(lambda: self.state == "closed")

    @property
    def state(self) -> object:
        return self.said[-1]["state"] if self.said else None

    @property
    def at_s(self) -> float:
        """Since when it is in this state; processes of one host have one monotonic clock."""
        return float(str(self.said[-1]["at_s"]))

    def order(self, what: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(what + "\n")
        self._process.stdin.flush()

    def end(self) -> float:
        """End it; return the longest that a call took."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._reader.join(60)
        assert self._process.stdout is not None
        self._process.stdout.close()
        return float(str(self.said[-1]["longest_s"]))

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(60)

    def _read(self, stream: IO[str]) -> None:
        for line in stream:
            self.said.append(json.loads(line))


@pytest.fixture
def server() -> Iterator[Valkey]:
    try:
        one = Valkey()
        one.start()
    except PartNotFound as error:
        pytest.skip(str(error))
    yield one
    one.close()


@pytest.fixture
def peers(server: Valkey) -> Iterator[tuple[Peer, Peer]]:
    pair = Peer(server.url), Peer(server.url)
    yield pair
    for one in pair:
        one.kill()


def opened_after_s(one: Peer, other: Peer) -> float:
    one.order("fail")
    until(lambda: one.state == "open" and other.state == "open")
    return other.at_s - one.at_s


def test_what_one_finds_out_the_other_need_not(server: Valkey, peers: tuple[Peer, Peer]) -> None:
    one, other = peers
    took_s = []
    for _ in range(5):
        took_s.append(opened_after_s(one, other))
        # Who closes tells it; an operator's reset here, as a good probe does.
        one.order("reset")
        other.order("reset")
        until(lambda: one.state == other.state == "closed")
    # A tenth of a second by design; the best of five tells that from a busy machine.
    assert min(took_s) < 0.15

    server.kill()
    other.order("fail")
    until(lambda: other.state == "open")
    # On its own: nobody told it, and it does not fail itself.
    assert one.state == "closed"

    server.start()
    # What was found out meanwhile is told as soon as there is somebody to tell.
    until(lambda: one.state == "open")
    assert other.state == "open"
    # A store that is away holds up no call.
    assert max(one.end(), other.end()) < 1.0
