"""Policies in real time: on asyncio and uvloop, in eight threads, with switches forced."""

import asyncio
import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest

from mainstay import (
    AttemptTimeout,
    Breaker,
    Bulkhead,
    Deadline,
    Hedge,
    Policy,
    RateLimit,
    Retry,
)
from mainstay.core.errors import AttemptTimedOut, CallRejected, CircuitOpen
from mainstay.core.scope import CURRENT
from mainstay.service.outbound.breaker.circuit import State
from mainstay.service.outbound.events import Attempted
from mainstay.testing import Recorder

THREADS = 8


@pytest.fixture
def forced_switches() -> Iterator[None]:
    """Let threads take turns every few microseconds instead of every five milliseconds."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def loops() -> list[Any]:
    factories: list[Any] = [pytest.param(None, id="asyncio")]
    try:
        import uvloop
    except ImportError:
        return factories
    return [*factories, pytest.param(uvloop.new_event_loop, id="uvloop")]


def everything(**parts: Any) -> Policy:
    return Policy(
        **{
            "deadline": Deadline("30s"),
            "bulkhead": Bulkhead(limit=4, queue=1000, wait="30s"),
            "rate_limit": RateLimit(rate=1e6, burst=1000, wait="1s"),
            "retry": Retry(attempts=3, backoff=(0.0, 0.0001), budget=None),
            "breaker": Breaker(failures=1_000, rate="99% of 5000 in 60s"),
            "attempt_timeout": AttemptTimeout(within="10s"),
            **parts,
        }
    )


def in_threads(work: Callable[[int], None]) -> None:
    """Run ``work`` in eight threads at once and raise what one of them raised."""
    errors: list[BaseException] = []
    barrier = threading.Barrier(THREADS)

    def run(at: int) -> None:
        try:
            barrier.wait(60)
            work(at)
        except BaseException as error:  # noqa: BLE001  Raised below, in the test's own thread.
            errors.append(error)

    threads = [threading.Thread(target=run, args=(at,)) for at in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(100)
        assert not thread.is_alive(), "a thread hangs"
    if errors:
        raise errors[0]


class Dependency:
    """Fails a fifth of its calls, and never lets more in than it should."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.lock = threading.Lock()
        self.inside = self.most = self.calls = 0

    def enter(self, rng: Random) -> bool:
        with self.lock:
            self.calls += 1
            self.inside += 1
            self.most = max(self.most, self.inside)
        return rng.random() < 0.2

    def leave(self) -> None:
        with self.lock:
            self.inside -= 1

    def call(self, rng: Random) -> str:
        fails = self.enter(rng)
        self.leave()
        if fails:
            raise ConnectionError
        return "answer"

    async def acall(self, rng: Random) -> str:
        fails = self.enter(rng)
        try:
            await asyncio.sleep(0)
        finally:
            self.leave()
        if fails:
            raise ConnectionError
        return "answer"


def settled(policy: Policy, dependency: Dependency) -> None:
    stats = policy.stats()
    assert (stats.in_flight, stats.waiting) == (0, 0)
    assert dependency.inside == 0
    assert 1 <= dependency.most <= dependency.limit
    assert policy.breaker.state is State.CLOSED
    assert CURRENT.get() is None


def test_eight_threads_share_a_policy(forced_switches: None) -> None:
    policy, dependency, recorder = everything(), Dependency(4), Recorder()
    policy.events.add(recorder)
    answers = [0] * THREADS

    def work(at: int) -> None:
        rng = Random(at)
        for _ in range(150):
            with contextlib.suppress(ConnectionError):
                answers[at] += policy.call(dependency.call, rng) == "answer"

    in_threads(work)
    settled(policy, dependency)
    assert recorder.count(Attempted) == dependency.calls
    assert recorder.count(Attempted, outcome="success") == sum(answers)
    # Three failures of a fifth each in a row are rare.
    assert sum(answers) > THREADS * 150 * 0.95


@pytest.mark.parametrize("factory", loops())
def test_a_hundred_tasks_share_a_policy(factory: Any) -> None:
    policy, dependency = everything(), Dependency(4)

    async def scenario() -> int:
        async def client(at: int) -> int:
            rng, answers = Random(at), 0
            for _ in range(10):
                with contextlib.suppress(ConnectionError):
                    answers += await policy.acall(dependency.acall, rng) == "answer"
            return answers

        return sum(await asyncio.gather(*(client(at) for at in range(100))))

    with asyncio.Runner(loop_factory=factory) as runner:
        assert runner.run(scenario()) > 950
    settled(policy, dependency)


@pytest.mark.parametrize("factory", loops())
def test_threads_and_loops_share_a_policy(factory: Any, forced_switches: None) -> None:
    """Half of the threads call; the other half runs a loop each, with tasks that are cancelled."""
    policy, dependency = everything(), Dependency(4)

    async def scenario(at: int) -> None:
        rng = Random(at)
        for _ in range(15):
            tasks = [asyncio.ensure_future(policy.acall(dependency.acall, rng)) for _ in range(8)]
            await asyncio.sleep(0)
            for task in rng.sample(tasks, 3):
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def work(at: int) -> None:
        if at % 2:
            rng = Random(at)
            for _ in range(100):
                with contextlib.suppress(ConnectionError):
                    policy.call(dependency.call, rng)
        else:
            with asyncio.Runner(loop_factory=factory) as runner:
                runner.run(scenario(at))

    in_threads(work)
    settled(policy, dependency)


@pytest.mark.parametrize("factory", loops())
def test_attempts_are_cut_off_and_hedged_in_real_time(factory: Any) -> None:
    policy = everything(attempt_timeout=AttemptTimeout(within="30ms"), retry=None)
    hedged = everything(hedge=Hedge(after="10ms"))
    begun = 0

    async def slow_once() -> str:
        nonlocal begun
        begun += 1
        if begun == 1:
            await asyncio.sleep(60)
        return "answer"

    async def scenario() -> None:
        with pytest.raises(AttemptTimedOut):
            await policy.acall(asyncio.sleep, 60)
        assert await hedged.acall(slow_once) == "answer"

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(scenario())
    assert begun == 2


def test_a_circuit_that_opens_under_eight_threads_opens_once(forced_switches: None) -> None:
    policy = Policy(breaker=Breaker(failures=20, open="1h"))
    recorder = Recorder()
    policy.events.add(recorder)
    rejected = [0] * THREADS

    def fail() -> None:
        raise ConnectionError

    def work(at: int) -> None:
        for _ in range(100):
            try:
                policy.call(fail)
            except CircuitOpen:
                rejected[at] += 1
            except ConnectionError:
                pass

    in_threads(work)
    names = recorder.names()
    assert names.count("CircuitChanged") == 1
    # Those that were on their way when it opened still fail: at most one for each thread.
    assert 20 <= recorder.count(Attempted) < 20 + THREADS
    assert sum(rejected) == THREADS * 100 - recorder.count(Attempted)


def test_rejections_of_every_kind_are_one_kind() -> None:
    policy = Policy(breaker=Breaker(), rate_limit=RateLimit(rate=0.001))
    policy.call(int)
    with pytest.raises(CallRejected):
        policy.call(int)
