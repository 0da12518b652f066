"""One way to ask for each side of the client: threads, and tasks of two kinds of loop."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import uvloop

from mainstay.core.clock import SYSTEM_CLOCK, pause
from mainstay.core.errors import StoreUnavailable
from mainstay.state.valkey import Reply, Valkey, Word

WAITS_S = 1.0
"""What no call of these tests may take, whatever the machine does: twenty times its bound."""


@dataclass(kw_only=True)
class Account:
    """What callers met. Lists, since threads may add to one without a lock.

    Attributes:
        served_at_s: When each call ended that was answered.
        refused_at_s: When each call ended that was not.
        waits_s: How long each of them took.
    """

    served_at_s: list[float] = field(default_factory=list)
    refused_at_s: list[float] = field(default_factory=list)
    waits_s: list[float] = field(default_factory=list)

    def note(self, began_s: float, *, served: bool) -> None:
        now_s = SYSTEM_CLOCK.monotonic_s()
        self.waits_s.append(now_s - began_s)
        (self.served_at_s if served else self.refused_at_s).append(now_s)


class Asker(Protocol):
    """A side of a client."""

    valkey: Valkey

    def ask(self, *words: Word) -> Reply: ...

    def load(self, callers: int, account: Account) -> "Any":
        """Have callers ask all the time within the region. Any: a context manager's own type."""
        ...

    def close(self) -> None:
        """Close the client; once more changes nothing."""
        ...


class Threads:
    """Calls of threads."""

    def __init__(self, valkey: Valkey) -> None:
        self.valkey = valkey

    def ask(self, *words: Word) -> Reply:
        return self.valkey.call(*words)

    @contextmanager
    def load(self, callers: int, account: Account) -> Iterator[None]:
        ended = threading.Event()

        def run() -> None:
            while not ended.is_set():
                began_s = SYSTEM_CLOCK.monotonic_s()
                try:
                    self.valkey.call("INCR", "load")
                    account.note(began_s, served=True)
                except StoreUnavailable:
                    account.note(began_s, served=False)
                pause(0.002)

        threads = [threading.Thread(target=run) for _ in range(callers)]
        for one in threads:
            one.start()
        try:
            yield
        finally:
            ended.set()
            for one in threads:
                one.join()

    def close(self) -> None:
        self.valkey.close()


class Tasks:
    """Calls of tasks, in a loop that runs in a thread of its own, so that the test can go on."""

    def __init__(
        self, valkey: Valkey, factory: Callable[[], asyncio.AbstractEventLoop] | None
    ) -> None:
        self.valkey = valkey
        self.loop = asyncio.new_event_loop() if factory is None else factory()
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()

    def ask(self, *words: Word) -> Reply:
        return asyncio.run_coroutine_threadsafe(self.valkey.acall(*words), self.loop).result(60)

    def run(self, coroutine: Any) -> Any:
        """Run a coroutine in the loop. Any: whatever it returns."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(60)

    @contextmanager
    def load(self, callers: int, account: Account) -> Iterator[None]:
        ended = threading.Event()

        async def run() -> None:
            while not ended.is_set():
                began_s = SYSTEM_CLOCK.monotonic_s()
                try:
                    await self.valkey.acall("INCR", "load")
                    account.note(began_s, served=True)
                except StoreUnavailable:
                    account.note(began_s, served=False)
                await asyncio.sleep(0.002)

        async def all_of() -> None:
            await asyncio.gather(*(run() for _ in range(callers)))

        done = asyncio.run_coroutine_threadsafe(all_of(), self.loop)
        try:
            yield
        finally:
            ended.set()
            done.result(60)

    def close(self) -> None:
        if self.loop.is_closed():
            return
        self.run(self.valkey.aclose())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


ASKERS: dict[str, Callable[[Valkey], Asker]] = {
    "threads": Threads,
    "asyncio": lambda valkey: Tasks(valkey, None),
    "uvloop": lambda valkey: Tasks(valkey, uvloop.new_event_loop),
}
