"""A simulated event loop whose processor other work takes part of, under overload, in virtual time.

A request is a step of computing, a wait for somebody else, and another step. Its loop does one
thing at a time, in the order it comes; while other work has the processor it does nothing.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from tests.service.inbound.admission.made import MEDIUM, admission, exchange

from mainstay.spec.shed import Shed
from mainstay.testing import Recorder, VirtualClock, run_virtual, seeded

STEP_S, WAIT_S = 0.001, 0.02
REFUSAL_S = 0.000_04
OFFERED_PER_S = 1500.0
WARM_S = 12
"""By then the first limit, which is more than one process does well, is forgotten."""

SECONDS = 24
_LOOK_S = 0.1
BOUND_S = 5.0

Slice = tuple[float, float]
"""For how long the loop has the processor, and for how long it then waits for it."""


def alone(rng: Random) -> Iterator[Slice]:
    """Nobody else works."""
    del rng
    while True:
        yield 1.0, 0.0


def halved(rng: Random) -> Iterator[Slice]:
    """Others take half of it, in slices as a system gives them."""
    while True:
        yield rng.uniform(0.002, 0.006), rng.expovariate(1 / 0.004)


def starved(rng: Random) -> Iterator[Slice]:
    """Others take five sixths of it."""
    while True:
        yield rng.uniform(0.002, 0.006), rng.expovariate(1 / 0.020)


def now_and_then(rng: Random) -> Iterator[Slice]:
    """For some seconds others take half of it, and for some seconds nobody does."""
    shares = halved(rng)
    while True:
        yield rng.uniform(0.5, 4.0), 0.0
        left_s = rng.uniform(0.5, 4.0)
        while left_s > 0:
            one = next(shares)
            left_s -= sum(one)
            yield one


@dataclass
class Processor:
    """Says when a step is done that begins when those before it are.

    Attributes:
        slices: When the loop has the processor.
        free_s: When all that has come is done.
        ends_s, next_s: When it loses the processor, and when it has it again.
        had_s: For how long it has had it.
    """

    slices: Iterator[Slice]
    free_s: float = 0.0
    ends_s: float = 0.0
    next_s: float = 0.0
    had_s: float = 0.0

    def done_s(self, now_s: float, work_s: float) -> float:
        """Return when so much work is done that comes now."""
        at_s = max(now_s, self.free_s)
        while True:
            while at_s >= self.ends_s:
                at_s = max(at_s, self.next_s)
                runs_s, waits_s = next(self.slices)
                self.had_s += runs_s
                self.ends_s = self.next_s + runs_s
                self.next_s = self.ends_s + waits_s
            done_s = at_s + work_s
            if done_s <= self.ends_s:
                self.free_s = done_s
                return done_s
            work_s -= self.ends_s - at_s
            at_s = self.ends_s


@dataclass
class Outcome:
    """What was seen after the first seconds.

    Attributes:
        limits: Ten times a second.
        good: Requests that were answered.
        had_s: For how long the loop had the processor.
    """

    limits: list[int] = field(default_factory=list)
    good: int = 0
    had_s: float = 0.0

    @property
    def possible(self) -> float:
        """Requests for which there was processor, once all are told yes or no."""
        told_s = OFFERED_PER_S * (SECONDS - WARM_S) * REFUSAL_S
        return (self.had_s - told_s) / (2 * STEP_S)


class World:
    """Requests arrive by chance at a rate that nothing slows down."""

    def __init__(self, slices: Iterator[Slice], seed: int) -> None:
        self.clock = VirtualClock.running()
        self.start_s = self.clock.monotonic_s()
        self.processor = Processor(slices, ends_s=self.start_s, next_s=self.start_s)
        self.gate = admission(Shed(), self.clock, Recorder())
        self.rng = seeded(seed, "arrivals")
        self.outcome = Outcome()

    async def run(self) -> None:
        watching = asyncio.create_task(self.watch())
        async with asyncio.TaskGroup() as requests:
            while self.clock.monotonic_s() - self.start_s < SECONDS:
                requests.create_task(self.request())
                await asyncio.sleep(self.rng.expovariate(OFFERED_PER_S))
            self.outcome.had_s += self.processor.had_s
        watching.cancel()

    async def watch(self) -> None:
        await asyncio.sleep(WARM_S)
        self.outcome.had_s -= self.processor.had_s
        self.outcome.good = 0
        while True:
            self.outcome.limits.append(self.gate.stats().limit)
            await asyncio.sleep(_LOOK_S)

    async def compute(self, work_s: float) -> None:
        now_s = self.clock.monotonic_s()
        await asyncio.sleep(self.processor.done_s(now_s, work_s) - now_s)

    async def request(self) -> None:
        """Do as a shell does."""
        await self.compute(REFUSAL_S)
        now_s = self.clock.monotonic_s()
        one = exchange(now_s, priority=MEDIUM, expires_s=now_s + BOUND_S)
        if not self.gate.enter(one) and await self.gate.wait(one) is not None:
            return
        await self.compute(STEP_S)
        await asyncio.sleep(WAIT_S)
        await self.compute(STEP_S)
        one.status, one.begun_s = 200, self.clock.monotonic_s()
        self.outcome.good += 1
        self.gate.leave(one, one.begun_s)


def simulate(slices: Iterator[Slice], *, seed: int) -> Outcome:
    """Return what becomes of overload on a processor that is had in slices."""

    async def main() -> Outcome:
        world = World(slices, seed)
        await world.run()
        return world.outcome

    return run_virtual(main())
