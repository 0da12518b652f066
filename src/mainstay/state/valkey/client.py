"""The client that everything of ours in Valkey stands on: for tasks and threads, and bounded.

Each event loop has one connection, which all its tasks share; threads take turns on connections of
a pool. Both sides know for themselves whether the server is there.
"""

import asyncio
import ssl
from collections.abc import Callable, Sequence
from random import Random

from mainstay.core.clock import SYSTEM_CLOCK, Clock
from mainstay.core.errors import StoreUnavailable
from mainstay.core.events import Listeners
from mainstay.state.valkey.address import parse_address
from mainstay.state.valkey.bounds import TIMEOUT_S, Bounds
from mainstay.state.valkey.events import StoreAway, StoreBack
from mainstay.state.valkey.forks import heed_forks
from mainstay.state.valkey.line import Answer
from mainstay.state.valkey.loop_side import LoopSide
from mainstay.state.valkey.reasons import CLOSED
from mainstay.state.valkey.thread_side import ThreadSide
from mainstay.state.valkey.words import (
    Heard,
    Reply,
    Script,
    Word,
    checked,
    is_unknown,
    packed,
    packed_words,
)  # fmt: skip

LOOPS_MAX = 64
"""Event loops of one process that use one client at the same time."""


class Valkey:
    """A Valkey or Redis server. Safe to share between tasks, threads and event loops.

    Nothing is connected before the first call. No call waits longer than ``timeout_s``, nor at all
    while the server is known to be away; it is looked for in the background meanwhile.

    Args:
        url: ``redis://``, ``rediss://``, ``valkey://``, ``valkeys://`` or ``unix://``; see
            ``parse_address``.
        timeout_s: A call's wait, from 0.001 to 60.
        outstanding_max: Calls of one event loop that wait, and threads that wait for a connection;
            more are sent away at once.
        connections_max: For threads.
        tls: Trust for ``rediss://``; None: the system's.
        clock: For tests.
        events: Told ``StoreAway`` and ``StoreBack``; None: listeners of its own.
        rng: For the pauses between attempts to reach the server; None: seeded by the system.

    Attributes:
        label: The server's name, without any secret.
        events: Tell here who wants to hear ``StoreAway`` and ``StoreBack``.
        ask: For the rooms of this plane, which pack a command by themselves: sends it from a
            thread, and returns what comes, be it an error. Raises StoreUnavailable.

    Raises:
        PolicyMisused: The URL or a bound is wrong.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float = TIMEOUT_S,
        outstanding_max: int = 1024,
        connections_max: int = 64,
        tls: ssl.SSLContext | None = None,
        clock: Clock = SYSTEM_CLOCK,
        events: Listeners | None = None,
        rng: Random | None = None,
    ) -> None:
        self._address = parse_address(url, tls=tls)
        self._bounds = Bounds(
            timeout_s=timeout_s, outstanding_max=outstanding_max, connections_max=connections_max
        )
        self.label = self._address.label
        self.events = Listeners() if events is None else events
        self._clock = clock
        self._seeded = rng is not None
        self._rng = Random() if rng is None else rng
        self._threads = ThreadSide(self._address, self._bounds, clock, self._rng, self._tell)
        # Itself, since a method around it is a frame more in each call.
        self.ask: Callable[[bytes], Heard] = self._threads.ask
        self._loops: dict[asyncio.AbstractEventLoop, LoopSide] = {}
        self._closed = False
        heed_forks(self)

    def call(self, *words: Word) -> Reply:
        """Do one command and return its answer; texts in it are bytes.

        Args:
            words: The command's name and its arguments.

        Raises:
            StoreUnavailable: No answer in time, or the server is known to be away.
            StoreRefused: The answer is an error.
            PolicyMisused: A command that waits by itself, or changes the connection.
        """
        return checked(self.ask(packed(words)))

    async def acall(self, *words: Word) -> Reply:
        """As ``call``, for tasks: calls of one turn of the loop leave together."""
        return checked(await self.aask(packed(words)))

    def run_script(self, script: Script, keys: Sequence[str | bytes], *words: Word) -> Reply:
        """Run a script in one round trip; in two where the server does not know it yet.

        Args:
            script: To run.
            keys: That it touches, all of them.
            words: Its further arguments.

        Raises:
            StoreUnavailable: As ``call``; each round trip has its own bound.
            StoreRefused: The answer is an error.
        """
        count, rest = _rest(keys, words)
        heard = self.ask(script.by_name(count, rest))
        if is_unknown(heard):
            heard = self.ask(script.whole(count, rest))
        return checked(heard)

    async def arun_script(
        self, script: Script, keys: Sequence[str | bytes], *words: Word
    ) -> Reply:  # fmt: skip
        """As ``run_script``, for tasks."""
        count, rest = _rest(keys, words)
        heard = await self.aask(script.by_name(count, rest))
        if is_unknown(heard):
            heard = await self.aask(script.whole(count, rest))
        return checked(heard)

    def aask(self, packed: bytes) -> Answer:
        """As ``ask``, for tasks: what is returned is to be awaited, and may be cancelled."""
        try:
            line = self._loops[asyncio.get_running_loop()].line
        except KeyError:
            line = self._new_side().line
        return line.ask(packed)

    def close(self) -> None:
        """Close the connections of threads; calls of threads are sent away from now on."""
        self._closed = True
        self._threads.close()

    async def aclose(self) -> None:
        """Close everything that this loop and threads use; of other loops, each closes its own."""
        self.close()
        side = self._loops.pop(asyncio.get_running_loop(), None)
        if side is not None:
            await side.close()

    def forget(self) -> None:
        """Start anew in a forked child, which must not use its parent's connections."""
        # Not closed one by one: their loop's selector is still the parent's too.
        self._loops = {}
        self._threads.forget()
        if not self._seeded:
            # Brothers must not come back in step.
            self._rng.seed()

    def _new_side(self) -> LoopSide:
        loops = self._loops
        for gone in [one for one in list(loops) if one.is_closed()]:
            loops.pop(gone, None)
        if self._closed:
            raise StoreUnavailable(f"{self.label}: {CLOSED}", begun=False)
        if len(loops) >= LOOPS_MAX:
            raise StoreUnavailable(f"{self.label}: too many event loops use it", begun=False)
        loop = asyncio.get_running_loop()
        side = LoopSide(loop, self._address, self._bounds, self._rng, self._tell)
        loops[loop] = side
        return side

    def _tell(self, why: str | None) -> None:
        if not self.events.listening:
            return
        at_s = self._clock.wall_s()
        if why is None:
            self.events.emit(StoreBack(at_s=at_s, store=self.label))
        else:
            self.events.emit(StoreAway(at_s=at_s, store=self.label, why=why))


def _rest(keys: Sequence[str | bytes], words: Sequence[Word]) -> tuple[int, bytes]:
    return 1 + len(keys) + len(words), packed_words((len(keys), *keys, *words))
