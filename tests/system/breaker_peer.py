"""A process that calls a dependency all the time, and says when its circuit changes."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from typing import IO

from tests.contract.stores.servers import until

BY_HAND = """
from mainstay import Breaker, Policy
from mainstay.state.breakers import SharedBreakers
from mainstay.state.valkey import Valkey

breakers = SharedBreakers(Valkey(sys.argv[1]))
policy = Policy(
    name="payments", breaker=Breaker(failures=3, open="60s", successes=1),
    shared=breakers.of("payments"),
)
"""
"""Of a Valkey, whose URL is the word that it gets."""

DECLARED = """
from mainstay import Service

service = Service.load()
policy = service.dependency("payments")
"""
"""Of the declaration that MAINSTAY_DECLARATION names."""

_CALLS = """
from mainstay.core.clock import SYSTEM_CLOCK, pause
from mainstay.core.errors import CircuitOpen

orders = {"fails": False}

def listen():
    for line in sys.stdin:
        match line.strip():
            case "reset":
                policy.breaker.reset()
                orders["fails"] = False
            case "take":
                service.take_dependencies(Service.load().declaration)
                print(json.dumps({"taken": True}), flush=True)
            case order:
                orders["fails"] = order == "fail"
    orders["ended"] = True

threading.Thread(target=listen, daemon=True).start()

def job():
    if orders["fails"]:
        raise ConnectionError

was, longest_s = None, 0.0
while "ended" not in orders:
    began_s = SYSTEM_CLOCK.monotonic_s()
    try:
        policy.once.call(job)
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
    """One of several processes that share a circuit.

    Args:
        policy: Code that makes ``policy``, and ``service`` where there is one.
        words: That the code gets.
        environ: More of the environment.
    """

    def __init__(self, policy: str, *words: str, environ: Mapping[str, str] | None = None) -> None:
        code = f"import json, sys, threading\n{policy}{_CALLS}"
        self._process = subprocess.Popen(
            [sys.executable, "-c", code, *words],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, **(environ or {})},
        )  # fmt: skip
        self._said: list[dict[str, object]] = []
        self._taken = 0
        assert self._process.stdout is not None
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout,))
        self._reader.start()
        until(lambda: self.state == "closed")

    @property
    def state(self) -> object:
        return self._said[-1]["state"] if self._said else None

    @property
    def at_s(self) -> float:
        """Since when it is in this state; processes of one host have one monotonic clock."""
        return float(str(self._said[-1]["at_s"]))

    def order(self, what: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(what + "\n")
        self._process.stdin.flush()

    def take(self) -> None:
        """Have it take its declaration anew; return when it has."""
        before = self._taken
        self.order("take")
        until(lambda: self._taken > before)

    def end(self) -> float:
        """End it; return the longest that a call took."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._reader.join(60)
        assert self._process.stdout is not None
        self._process.stdout.close()
        return float(str(self._said[-1]["longest_s"]))

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(60)
        self._reader.join(60)
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()

    def _read(self, stream: IO[str]) -> None:
        for line in stream:
            said = json.loads(line)
            if "taken" in said:
                self._taken += 1
            else:
                self._said.append(said)


def opened_after_s(one: Peer, other: Peer) -> float:
    """Let ``one`` fail until both are open; return how much later the other was."""
    one.order("fail")
    until(lambda: one.state == "open" and other.state == "open")
    return other.at_s - one.at_s


def close_both(one: Peer, other: Peer) -> None:
    """Close both circuits by an operator's hand; who closes tells it, as a good probe does."""
    one.order("reset")
    other.order("reset")
    until(lambda: one.state == other.state == "closed")
