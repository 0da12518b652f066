"""What circuits found out, told through Valkey: what one host learns, the others need not.

A thread of ours tells and asks; callers only look at what it heard last, and never wait. It asks
for those circuits that somebody looked at since it last asked, so that a service without traffic
asks for nothing. Hosts share no clock: what goes over the wire is how long a circuit stays open,
which is how long its key lives, and how old a word is, from which the server makes a time of its
own. A word that waited, as in an outage, does not overwrite one that is younger than it.
"""

import contextlib
import os
import threading
from collections.abc import Sequence
from typing import NamedTuple

from mainstay.core.breakers import Told
from mainstay.core.clock import SYSTEM_CLOCK, Clock
from mainstay.core.errors import PolicyMisused, StoreUnavailable
from mainstay.state.valkey import Reply, Script, Valkey
from mainstay.state.valkey.forks import heed_forks
from mainstay.state.valkey.keys import key_head

EVERY_S = 0.04
"""Between two questions. With a policy's own 50 ms between looks, a circuit that opens elsewhere is
open here within a tenth of a second."""

AWAY_S = 0.25
"""Between two attempts while Valkey is away."""

CLOSED_S = 300.0
"""That a circuit was closed is kept as long as others may have it open: Breaker.open_max."""

BREAKERS_MAX = 1024

_OPEN, _CLOSED = b"o", b"c"
_SERIAL_BYTES = 8

_READ = Script("""
local told = {}
for i = 1, #KEYS do
  told[2 * i - 1] = redis.call('GET', KEYS[i])
  told[2 * i] = redis.call('PTTL', KEYS[i])
end
return told
""")

# A time after now was written before the server's clock was set back: nobody can compare with it.
_WRITE = Script("""
local time = redis.call('TIME')
local now_us = time[1] * 1000000 + time[2]
local said_us = now_us - ARGV[2]
local kept = redis.pcall('GET', KEYS[1])
local kept_us = type(kept) == 'string' and tonumber(string.sub(kept, 10))
if kept_us and kept_us > said_us and kept_us <= now_us then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1] .. string.format('%.0f', said_us), 'PX', ARGV[3])
return 1
""")


class _Word(NamedTuple):
    """What Valkey is to be told about a circuit.

    Attributes:
        told: It.
        said_s: When, monotonic.
    """

    told: Told
    said_s: float


class SharedBreakers:
    """Circuits of one service, or of several that call the same dependencies. Shared by threads.

    Args:
        valkey: The client; calls of its threads' side are made.
        prefix: Who shares a prefix, and a dependency's name, shares its circuit.
        clock: That of the policies.

    Raises:
        PolicyMisused: The prefix is none.
    """

    def __init__(
        self, valkey: Valkey, *, prefix: str = "mainstay", clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._valkey = valkey
        self._head = key_head(prefix, "breaker")
        self._clock = clock
        self._told: dict[str, Told | None] = {}
        # What Valkey was not told yet: the last of each circuit.
        self._pending: dict[str, _Word] = {}
        self._looked_at: set[str] = set()
        self._closed = False
        self._begin()
        heed_forks(self)

    def of(self, name: str) -> "ValkeyBreakerState":
        """Return the circuit of a dependency, for ``Policy(shared=...)``.

        Raises:
            PolicyMisused: There are 1024 others already, or the name can't be sent.
        """
        try:
            name.encode()
        except UnicodeError:
            raise PolicyMisused("a circuit's name is a text that can be sent") from None
        with self._lock:
            if name not in self._told and len(self._told) >= BREAKERS_MAX:
                raise PolicyMisused(f"at most {BREAKERS_MAX} circuits are shared")
            self._told.setdefault(name, None)
        return ValkeyBreakerState(self, name)

    def read(self, name: str) -> Told | None:
        """Return what was heard last; ask again soon."""
        if name not in self._looked_at:
            with self._lock:
                self._looked_at.add(name)
                self._work()
        return self._told[name]

    def write(self, name: str, open_until_s: float | None) -> Told:
        """Tell soon. Only the last word about a circuit is kept while nobody can be told."""
        # Random and not counted: processes that tell at once would count to the same number.
        serial = int.from_bytes(os.urandom(_SERIAL_BYTES), "big")
        told = Told(serial=serial, open_until_s=open_until_s)
        with self._lock:
            self._told[name] = told
            self._pending[name] = _Word(told, self._clock.monotonic_s())
            self._urgent.set()
            self._work()
        return told

    def close(self) -> None:
        """End the thread; circuits go on alone."""
        with self._lock:
            self._closed = True
            self._urgent.set()
            self._wanted.set()

    def forget(self) -> None:
        """Start anew in a forked child, whose thread is gone."""
        self._begin()
        self._looked_at.clear()

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._wanted = threading.Event()
        self._urgent = threading.Event()
        self._thread: threading.Thread | None = None

    def _work(self) -> None:
        """Have the thread work, under the lock."""
        if self._thread is None and not self._closed:
            thread = threading.Thread(target=self._run, name="mainstay-breakers", daemon=True)
            # The system has no thread left, or the interpreter ends: each circuit is alone.
            with contextlib.suppress(RuntimeError):
                thread.start()
                self._thread = thread
        self._wanted.set()

    def _run(self) -> None:
        while True:
            self._wanted.wait()
            with self._lock:
                if self._closed:
                    return
                self._wanted.clear()
                self._urgent.clear()
                names = tuple(self._looked_at)
                self._looked_at.clear()
                pending = dict(self._pending)
            try:
                for name, word in pending.items():
                    self._tell(name, word)
                if names:
                    self._hear(names)
            except StoreUnavailable:
                # What was not told is told again then.
                if self._pending:
                    self._wanted.set()
                self._urgent.wait(AWAY_S)
            else:
                self._urgent.wait(EVERY_S)

    def _tell(self, name: str, word: _Word) -> None:
        """Tell one circuit's last word, unless a younger one is there.

        Raises:
            StoreUnavailable: It could not be told.
        """
        told, now_s = word.told, self._clock.monotonic_s()
        state, left_s = _CLOSED, CLOSED_S
        if told.open_until_s is not None:
            state, left_s = _OPEN, told.open_until_s - now_s
        # What is over is no news for anybody.
        if left_s > 0:
            value = state + told.serial.to_bytes(_SERIAL_BYTES, "big")
            age_us, left_ms = int((now_s - word.said_s) * 1_000_000), int(left_s * 1000) + 1
            self._valkey.run_script(_WRITE, [self._key(name)], value, age_us, left_ms)
        with self._lock:
            if self._pending.get(name) is word:
                del self._pending[name]

    def _hear(self, names: Sequence[str]) -> None:
        """Ask for circuits.

        Raises:
            StoreUnavailable: Nothing was heard.
        """
        reply = self._valkey.run_script(_READ, [self._key(name) for name in names])
        now_s = self._clock.monotonic_s()
        if not isinstance(reply, list) or len(reply) != 2 * len(names):
            return
        for name, value, left_ms in zip(names, reply[::2], reply[1::2], strict=True):
            told = told_by(value, left_ms, now_s)
            with self._lock:
                # One's own word comes after what was heard while it waited to be told.
                if name not in self._pending:
                    self._told[name] = told

    def _key(self, name: str) -> bytes:
        return self._head + name.encode()


def told_by(value: Reply, left_ms: Reply, now_s: float) -> Told | None:
    """Return what a key says, or None where it is no circuit's, or is gone.

    Args:
        value: The key's: a letter, the serial, and when it was said by the server's clock, which
            matters to the server alone.
        left_ms: How long it lives.
        now_s: The present, monotonic.
    """
    if not isinstance(value, bytes) or not isinstance(left_ms, int) or left_ms <= 0:
        return None
    state, serial = value[:1], value[1 : 1 + _SERIAL_BYTES]
    if len(serial) != _SERIAL_BYTES or state not in {_OPEN, _CLOSED}:
        return None
    until_s = now_s + left_ms / 1000 if state == _OPEN else None
    return Told(serial=int.from_bytes(serial, "big"), open_until_s=until_s)


class ValkeyBreakerState:
    """The circuit of one dependency: what ``Policy(shared=...)`` takes.

    Args:
        breakers: That it is one of.
        name: Of the dependency.
    """

    __slots__ = ("_breakers", "_name")

    def __init__(self, breakers: SharedBreakers, name: str) -> None:
        self._breakers = breakers
        self._name = name

    def read(self) -> Told | None:
        """Return what was told last, or None: nothing, or nobody knows. Never waits."""
        return self._breakers.read(self._name)

    def write(self, open_until_s: float | None) -> Told:
        """Tell, as soon as Valkey is there; return it as ``read`` will. Never waits.

        Args:
            open_until_s: Open until then, monotonic; None: it closed.
        """
        return self._breakers.write(self._name, open_until_s)
