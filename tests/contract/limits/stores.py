"""Stores of limits under a clock that the test sets."""

import asyncio
import itertools
import os
from collections.abc import Sequence
from typing import Protocol

from mainstay.core.limits import NEVER_S, Answers, Ask, gcra_all
from mainstay.state.limits import ValkeyLimits
from mainstay.state.limits.script import EPOCH_S, take_script
from mainstay.state.valkey import Valkey

_NUMBERS = itertools.count()


class Store(Protocol):
    """What the suite asks of a store of limits."""

    def renew(self) -> None:
        """Forget everything."""
        ...

    def set_clock(self, now_s: float) -> None:
        """Set the store's clock, forward or back; a whole number of µs."""
        ...

    def take(self, asks: Sequence[Ask]) -> Answers: ...


class InMemory:
    """The decision alone, over a dict: the naive model."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        self.dues_s: dict[str, float] = {}
        self.now_s = 0.0

    def set_clock(self, now_s: float) -> None:
        self.now_s = now_s

    def take(self, asks: Sequence[Ask]) -> Answers:
        dues_s = [self.dues_s.get(ask.key, NEVER_S) for ask in asks]
        taken_s, answers = gcra_all(dues_s, asks, self.now_s)
        for ask, due_s in zip(asks, taken_s, strict=True):
            if due_s > self.now_s:
                self.dues_s[ask.key] = due_s
        return answers


class InValkey:
    """The real store on a real server; only the script's clock is a key that we set."""

    def __init__(self, url: str, *, tasks: bool) -> None:
        self._runner = asyncio.Runner() if tasks else None
        self._clock = f"clock:{os.getpid()}:{next(_NUMBERS)}"
        # Seconds for a busy machine: these tests are about answers, not about bounds.
        self.valkey = Valkey(url, timeout_s=30.0)
        self.renew()

    def renew(self) -> None:
        script = take_script(f"redis.call('HMGET', '{self._clock}', 's', 'us')")
        prefix = f"test-{os.getpid()}-{next(_NUMBERS)}"
        self._limits = ValkeyLimits(self.valkey, prefix=prefix, script=script)
        self.set_clock(0.0)

    def set_clock(self, now_s: float) -> None:
        whole_s, us = divmod(round(now_s * 1e6), 1_000_000)
        self.valkey.call("HSET", self._clock, "s", EPOCH_S + whole_s, "us", us)

    def take(self, asks: Sequence[Ask]) -> Answers:
        if self._runner is None:
            return self._limits.take(asks)
        return self._runner.run(self._limits.atake(asks))

    def close(self) -> None:
        self.valkey.close()
        if self._runner is not None:
            self._runner.run(self.valkey.aclose())
            self._runner.close()
