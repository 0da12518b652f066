"""A simulated service of known capacity under open-loop load, in virtual time."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from tests.service.inbound.admission.made import CRITICAL, LOW, MEDIUM, admission, exchange

from mainstay.service.inbound.admission import Admission
from mainstay.service.inbound.admission.refusals import TIME_IS_UP
from mainstay.service.inbound.exchange import Exchange
from mainstay.spec.shed import Shed
from mainstay.testing import Recorder, VirtualClock, run_virtual, seeded

Duration = Callable[[Random], float]
Load = Callable[[float], float]
"""Share of the capacity that is offered, by the seconds since the begin."""

PLACES = 8
MEAN_S = 0.1
PER_S = PLACES / MEAN_S
PATIENCE_S = 2.0
SHARES = {CRITICAL: 0.03, MEDIUM: 0.87, LOW: 0.10}


def equal(rng: Random) -> float:
    """All requests take as long."""
    del rng
    return MEAN_S


def exponential(rng: Random) -> float:
    """Most are short, some are long."""
    return rng.expovariate(1 / MEAN_S)


def mixed(rng: Random) -> float:
    """One in ten takes forty times as long as the others."""
    return MEAN_S * (8.2 if rng.random() < 0.1 else 0.2)


@dataclass
class Outcome:
    """What happened, by the second in which a request arrived or was answered in time."""

    good: Counter[int] = field(default_factory=Counter)
    refused: Counter[int] = field(default_factory=Counter)
    latencies_s: dict[int, list[tuple[float, float]]] = field(default_factory=dict)
    in_flight: Counter[int] = field(default_factory=Counter)
    waiting: int = 0
    recorder: Recorder = field(default_factory=Recorder)

    def goodput(self, from_s: int, until_s: int) -> float:
        """Answers in time, in shares of what the service can do."""
        return sum(self.good[nth] for nth in range(from_s, until_s)) / (until_s - from_s) / PER_S

    def p99_s(self, priority: int, from_s: float, until_s: float) -> float:
        """Of those that were admitted, from arrival to answer."""
        took = sorted(
            latency_s
            for at_s, latency_s in self.latencies_s.get(priority, [])
            if from_s <= at_s < until_s
        )
        assert len(took) >= 100, "a percentile of too few"
        return took[int(0.99 * len(took))]


class Service:
    """Has so many places, before which requests queue in the order they come."""

    def __init__(self, duration: Duration, rng: Random) -> None:
        self._places = asyncio.Semaphore(PLACES)
        self._duration = duration
        self._rng = rng

    async def handle(self) -> None:
        async with self._places:
            await asyncio.sleep(self._duration(self._rng))


class World:
    """Requests arrive by chance at a rate that nothing slows down."""

    def __init__(self, options: Shed | None, duration: Duration, seed: int) -> None:
        self.clock = VirtualClock.running()
        self.start_s = self.clock.monotonic_s()
        self.outcome = Outcome()
        self.gate: Admission | None = None
        if options is not None:
            self.gate = admission(options, self.clock, self.outcome.recorder)
        self.service = Service(duration, seeded(seed, "service"))
        self.rng = seeded(seed, "arrivals")

    async def run(self, load: Load, seconds: float) -> None:
        async with asyncio.TaskGroup() as requests:
            while (elapsed_s := self.clock.monotonic_s() - self.start_s) < seconds:
                requests.create_task(self.request(elapsed_s))
                await asyncio.sleep(self.rng.expovariate(load(elapsed_s) * PER_S))

    async def request(self, at_s: float) -> None:
        """Do as a shell does; a client that waited too long is gone."""
        now_s = self.clock.monotonic_s()
        (priority,) = self.rng.choices(list(SHARES), list(SHARES.values()))
        one = exchange(now_s, priority=priority, expires_s=now_s + PATIENCE_S)
        if self.gate is None:
            # Nobody tells the service that the client has gone.
            await self.service.handle()
            self.note(one, at_s)
        elif self.gate.enter(one) or await self.gate.wait(one) is None:
            await self.admitted(self.gate, one, at_s)
        else:
            self.outcome.refused[int(at_s)] += 1

    async def admitted(self, gate: Admission, one: Exchange, at_s: float) -> None:
        stats = gate.stats()
        second = int(self.clock.monotonic_s() - self.start_s)
        self.outcome.in_flight[second] = max(self.outcome.in_flight[second], stats.in_flight)
        self.outcome.waiting = max(self.outcome.waiting, stats.waiting)
        try:
            async with asyncio.timeout_at(one.expires_s):
                await self.service.handle()
            one.status, one.begun_s = 200, self.clock.monotonic_s()
            self.note(one, at_s)
        except TimeoutError:
            one.refusal, one.status = TIME_IS_UP, 504
        finally:
            gate.leave(one, self.clock.monotonic_s())

    def note(self, one: Exchange, at_s: float) -> None:
        now_s = self.clock.monotonic_s()
        latency_s = now_s - one.started_s
        if latency_s <= PATIENCE_S:
            self.outcome.good[int(now_s - self.start_s)] += 1
        self.outcome.latencies_s.setdefault(one.priority, []).append((at_s, latency_s))


def simulate(
    options: Shed | None, load: Load, seconds: float, *, duration: Duration = equal, seed: int = 1
) -> Outcome:
    """Return what becomes of so many seconds of load.

    Args:
        options: Of admission; None: there is none.
        load: What is offered.
        seconds: How long.
        duration: What requests take.
        seed: Of all chance.
    """

    async def main() -> Outcome:
        world = World(options, duration, seed)
        await world.run(load, seconds)
        return world.outcome

    return run_virtual(main())
