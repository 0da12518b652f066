"""A storm of retries: with a budget it never comes; without one it does.

A thousand clients call through eight replicas of a service. Their dependency fails for half a
minute. Counted is what reaches it, in each second of virtual time.
"""

import asyncio
import contextlib
from dataclasses import dataclass

import pytest

from mainstay import Breaker, Policy, Retry
from mainstay.testing import VirtualClock, run_virtual

CLIENTS = 1000
REPLICAS = 8
THINK_S = 2.0
OUTAGE_FROM_S, OUTAGE_UNTIL_S, END_S = 10, 40, 60
LATE_S = 85
"""An end that is late enough for circuits that stay open for the default minute."""


@dataclass
class Outcome:
    """What happened in each second."""

    arrived: list[int]
    answered: list[int]

    @property
    def normal(self) -> float:
        """Arrivals a second before the outage, the first seconds left out."""
        return sum(self.arrived[3:OUTAGE_FROM_S]) / (OUTAGE_FROM_S - 3)

    def worst(self, seconds: int) -> float:
        """The worst span of so many seconds since the outage began, in shares of normal."""
        spans = range(OUTAGE_FROM_S, len(self.arrived) - 5 - seconds + 1)
        return max(sum(self.arrived[at : at + seconds]) for at in spans) / seconds / self.normal


def simulate(retry: Retry, breaker: Breaker | None, *, end_s: int = END_S) -> Outcome:
    async def main() -> Outcome:
        clock = VirtualClock.running()
        start_s = clock.monotonic_s()
        outcome = Outcome([0] * (end_s + 5), [0] * (end_s + 5))
        replicas = [
            Policy(name=f"replica-{nth}", retry=retry, breaker=breaker, seed=nth, clock=clock)
            for nth in range(REPLICAS)
        ]

        async def dependency() -> None:
            second = int(clock.monotonic_s() - start_s)
            outcome.arrived[second] += 1
            await asyncio.sleep(0.02)
            if OUTAGE_FROM_S <= second < OUTAGE_UNTIL_S:
                raise ConnectionError
            outcome.answered[second] += 1

        async def client(nth: int) -> None:
            call = replicas[nth % REPLICAS](dependency)
            # As even as can be: what is not even in the result comes from the retries alone.
            await asyncio.sleep(nth / CLIENTS * THINK_S)
            while clock.monotonic_s() - start_s < end_s:
                began_s = clock.monotonic_s()
                with contextlib.suppress(Exception):
                    await call()
                # Open loop: who waited longer for its answer does not come less often.
                took_s = clock.monotonic_s() - began_s
                await asyncio.sleep(max(0.0, THINK_S - took_s))

        await asyncio.gather(*(client(nth) for nth in range(CLIENTS)))
        return outcome

    return run_virtual(main())


def test_with_a_budget_the_load_never_passes_1_2_times_normal() -> None:
    """The floor is off: it is for services that are called a few times a second, not 500."""
    outcome = simulate(Retry(attempts=3, budget=0.2, budget_floor=0.0, backoff="100ms..1s"), None)
    assert outcome.normal == pytest.approx(CLIENTS / THINK_S, rel=0.01)
    assert outcome.worst(5) <= 1.2
    # In a single second the jitter of a hundred pauses shows: a few arrive in the next one.
    assert outcome.worst(1) <= 1.2 * 1.03
    during = sum(outcome.arrived[OUTAGE_FROM_S:OUTAGE_UNTIL_S]) / (OUTAGE_UNTIL_S - OUTAGE_FROM_S)
    assert during <= 1.2 * outcome.normal


def test_without_a_budget_the_storm_shows() -> None:
    outcome = simulate(Retry(attempts=3, budget=None, backoff="100ms..1s"), None)
    assert outcome.worst(5) > 2.5


def test_with_breakers_next_to_nothing_arrives_and_it_recovers_at_once() -> None:
    outcome = simulate(
        Retry(attempts=3, backoff="100ms..1s"), Breaker(failures=5, open="2s", open_max="2s")
    )
    assert outcome.worst(1) <= 1.2
    during = sum(outcome.arrived[OUTAGE_FROM_S + 1 : OUTAGE_UNTIL_S])
    assert during < 0.05 * outcome.normal * (OUTAGE_UNTIL_S - OUTAGE_FROM_S)
    # Open times end within two seconds; from then on everybody is answered.
    after = outcome.answered[OUTAGE_UNTIL_S + 3 : END_S - 1]
    assert min(after) > 0.8 * outcome.normal


def test_with_a_budget_alone_it_recovers_in_the_second_in_which_the_dependency_does() -> None:
    outcome = simulate(Retry(attempts=3, budget=0.2, budget_floor=0.0, backoff="100ms..1s"), None)
    assert min(outcome.answered[OUTAGE_UNTIL_S + 1 : END_S - 1]) > 0.85 * outcome.normal


def test_with_the_default_retries_alone_the_load_never_passes_1_2_times_normal() -> None:
    outcome = simulate(Retry(), None)
    assert outcome.worst(5) <= 1.2
    assert outcome.worst(1) <= 1.2 * 1.03
    assert min(outcome.answered[OUTAGE_UNTIL_S + 1 : END_S - 1]) > 0.85 * outcome.normal


def test_with_all_defaults_it_recovers_when_the_circuits_have_been_open_for_a_minute() -> None:
    """The open time of the source documents is a minute: an outage of half of one lasts a whole."""
    outcome = simulate(Retry(), Breaker(), end_s=LATE_S)
    assert outcome.worst(1) <= 1.2
    during = sum(outcome.arrived[OUTAGE_FROM_S + 1 : OUTAGE_UNTIL_S])
    assert during < 0.01 * outcome.normal * (OUTAGE_UNTIL_S - OUTAGE_FROM_S)
    # The price: nobody asks whether it is back before the minute is over.
    closed = OUTAGE_FROM_S + 60
    assert sum(outcome.answered[OUTAGE_UNTIL_S : closed - 1]) == 0
    assert min(outcome.answered[closed + 2 : LATE_S - 1]) > 0.85 * outcome.normal
