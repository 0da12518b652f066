"""Every subset of parts, with any outcomes, beside a naive interpreter of the same laws.

The interpreter knows no scopes, permits or plans: numbers in a loop, read from top to bottom.
"""

import asyncio
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest

from mainstay import (
    AttemptTimeout,
    Breaker,
    Bulkhead,
    Deadline,
    Fallback,
    Policy,
    RateLimit,
    Retry,
)
from mainstay.core.errors import AttemptTimedOut, CircuitOpen, DeadlineExceeded, RateLimited
from mainstay.service.outbound.shells.async_shell import aguard
from mainstay.service.outbound.shells.sync_shell import guard
from mainstay.testing import VirtualClock, run_virtual

# No sum of these is another one of them: nothing here happens at the very same moment.
DEADLINE_S, ATTEMPT_S, OPEN_S, PAUSE_S, BETWEEN_S = 3.337, 1.051, 4.113, 0.517, 0.301
TOOK_S = {"ok": 0.1, "fail": 0.103, "mistake": 0.107, "slow": 5.003}
PARTS: dict[str, Any] = {
    "fallback": Fallback(value="stand-in"),
    "deadline": Deadline(DEADLINE_S),
    "bulkhead": Bulkhead(limit=1),
    "rate_limit": RateLimit(rate=1.0, burst=4),
    "retry": Retry(attempts=3, backoff=(PAUSE_S, 60.0), jitter="none", budget=None),
    "breaker": Breaker(failures=2, open=OPEN_S, successes=1),
    "attempt_timeout": AttemptTimeout(within=ATTEMPT_S),
}
SUBSETS = [
    frozenset(subset)
    for size in range(len(PARTS) + 1)
    for subset in itertools.combinations(PARTS, size)
]
CALLS = 14


class Stop(Exception):
    """How a call ended, by name."""


@dataclass
class Naive:
    """The interpreter: what a sequence of calls does, worked out by hand."""

    parts: frozenset[str]
    cuts: bool
    script: Iterator[str]
    now_s: float = 0.0
    failures: int = 0
    openings: int = 0
    open_until_s: float = -1.0
    is_open: bool = False
    bucket: float = 0.0
    bucket_s: float = 0.0
    attempts: int = 0
    story: list[tuple[str, float, int]] = field(default_factory=list)

    def run(self, calls: int) -> list[tuple[str, float, int]]:
        for _ in range(calls):
            try:
                outcome = self.call()
            except Stop as stop:
                outcome = str(stop)
                if "fallback" in self.parts and outcome != "TypeError":
                    outcome = "stand-in"
            self.story.append((outcome, round(self.now_s, 6), self.attempts))
            self.now_s += BETWEEN_S
        return self.story

    def call(self) -> str:
        until_s = self.now_s + DEADLINE_S if "deadline" in self.parts else float("inf")
        if "rate_limit" in self.parts:
            self.bucket = max(0.0, self.bucket - (self.now_s - self.bucket_s))
            self.bucket_s = self.now_s
            if self.bucket + 1 > 4 + 1e-9:
                raise Stop("RateLimited")
            self.bucket += 1
        for failed in itertools.count(1):
            kind = self.attempt(until_s)
            if kind == "ok":
                return "ok"
            error = {"fail": "ConnectionError", "attempt": "AttemptTimedOut",
                     "mistake": "TypeError", "deadline": "DeadlineExceeded"}[kind]  # fmt: skip
            if kind in {"mistake", "deadline"} or "retry" not in self.parts or failed == 3:
                raise Stop(error)
            pause_s = PAUSE_S * 2 ** (failed - 1)
            if pause_s >= until_s - self.now_s:
                raise Stop(error)
            if self.is_open and self.open_until_s - self.now_s > pause_s:
                raise Stop(error)
            self.now_s += pause_s
        raise AssertionError("endless")

    def attempt(self, until_s: float) -> str:
        if until_s - self.now_s <= 0:
            raise Stop("DeadlineExceeded")
        if "breaker" in self.parts and self.is_open and self.now_s < self.open_until_s:
            raise Stop("CircuitOpen")
        self.attempts += 1
        outcome = next(self.script)
        ends_s = self.now_s + TOOK_S[outcome]
        limit_s = until_s
        if "attempt_timeout" in self.parts:
            limit_s = min(limit_s, self.now_s + ATTEMPT_S)
        if self.cuts and ends_s > limit_s:
            self.now_s = limit_s
            kind = "attempt" if limit_s < until_s else "deadline"
        else:
            self.now_s = ends_s
            kind = "ok" if outcome == "slow" else outcome
        if "breaker" in self.parts and kind != "mistake":
            self.count(kind)
        return kind

    def count(self, kind: str) -> None:
        if kind == "ok":
            self.failures = self.openings = 0
            self.is_open = False
            return
        self.failures += 1
        if self.is_open or self.failures == 2:
            self.is_open = True
            self.open_until_s = self.now_s + min(300.0, OPEN_S * 2**self.openings)
            self.openings += 1


def script(seed: int) -> Iterator[str]:
    rng = Random(seed)
    while True:
        yield rng.choices(["ok", "fail", "slow", "mistake"], weights=[5, 5, 3, 1])[0]


def raised(outcome: str) -> None:
    if outcome == "fail":
        raise ConnectionError
    if outcome == "mistake":
        raise TypeError


def run_sync(policy: Policy, clock: VirtualClock, seed: int, *, special: bool) -> list[Any]:
    outcomes, story, attempts = script(seed), [], 0

    def fn() -> str:
        nonlocal attempts
        attempts += 1
        outcome = next(outcomes)
        clock.sleep(TOOK_S[outcome])
        raised(outcome)
        return "ok"

    call = policy(fn) if special else guard(policy, fn)
    start_s = clock.monotonic_s()
    for _ in range(CALLS):
        try:
            ended = call()
        except Exception as error:  # noqa: BLE001  Its type is what is compared.
            ended = type(error).__name__
        story.append((ended, round(clock.monotonic_s() - start_s, 6), attempts))
        clock.sleep(BETWEEN_S)
    return story


async def run_async(policy: Policy, clock: VirtualClock, seed: int, *, special: bool) -> list[Any]:
    outcomes, story, attempts = script(seed), [], 0

    async def fn() -> str:
        nonlocal attempts
        attempts += 1
        outcome = next(outcomes)
        await asyncio.sleep(TOOK_S[outcome])
        raised(outcome)
        return "ok"

    call = policy(fn) if special else aguard(policy, fn)
    start_s = clock.monotonic_s()
    for _ in range(CALLS):
        try:
            ended = await call()
        except Exception as error:  # noqa: BLE001  Its type is what is compared.
            ended = type(error).__name__
        story.append((ended, round(clock.monotonic_s() - start_s, 6), attempts))
        await asyncio.sleep(BETWEEN_S)
    return story


@pytest.mark.parametrize("special", [True, False], ids=["specialised", "generic"])
@pytest.mark.parametrize("world", ["sync", "async"])
@pytest.mark.parametrize("subset", SUBSETS, ids=lambda one: "+".join(sorted(one)) or "nothing")
def test_every_subset_does_what_the_laws_say(
    subset: frozenset[str],
    world: str,
    special: bool,  # noqa: FBT001  A parameter of the matrix.
) -> None:
    for seed in range(4):
        clock = VirtualClock(monotonic_s=0.0)
        policy = Policy(clock=clock, **{part: PARTS[part] for part in subset})
        expected = Naive(subset, cuts=world == "async", script=script(seed)).run(CALLS)
        if world == "async":
            story = run_virtual(run_async(policy, clock, seed, special=special), clock=clock)
        else:
            story = run_sync(policy, clock, seed, special=special)
        assert story == [(ended, pytest.approx(at_s, abs=1e-5), n) for ended, at_s, n in expected]
        stats = policy.stats()
        assert stats.in_flight in {None, 0}


def test_the_scripts_reach_every_ending() -> None:
    """Else the comparison above would be one of easy cases only."""
    endings = set[str]()
    for subset in SUBSETS:
        for seed in range(4):
            endings |= {
                one for one, _, _ in Naive(subset, cuts=True, script=script(seed)).run(CALLS)
            }
    kinds = (
        ConnectionError,
        TypeError,
        AttemptTimedOut,
        CircuitOpen,
        DeadlineExceeded,
        RateLimited,
    )
    assert endings == {"ok", "stand-in", *(kind.__name__ for kind in kinds)}
