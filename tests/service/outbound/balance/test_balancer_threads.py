"""Threads and tasks on one balancer: nothing stays in flight."""

import asyncio
import sys
import threading
from collections import Counter
from collections.abc import Coroutine, Iterator
from random import Random
from typing import Any, get_args

import pytest

from mainstay.service.outbound.balance import (
    Balancer,
    Ejection,
    Endpoint,
    Way,
)

THREE = ("10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80")
WAYS: tuple[Way, ...] = get_args(Way)


def active(balancer: Balancer) -> int:
    return sum(state.active for state in balancer.endpoints())


def away(balancer: Balancer) -> list[str]:
    return [str(one.endpoint) for one in balancer.endpoints() if one.returns_in_s is not None]


@pytest.fixture
def switching_often() -> Iterator[None]:
    """Let threads be interrupted about every instruction instead of every 5 ms."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("switching_often")
@pytest.mark.parametrize("way", WAYS)
def test_eight_threads_leave_nothing_in_flight(way: Way) -> None:
    """Picks, all ends, double ends, ejections and new sets at once; then the counts agree."""
    balancer = Balancer(THREE, by=way, ejection=Ejection(failures=2, time_s=0.001, time_max_s=0.01))
    picked = Counter[str]()
    errors: list[BaseException] = []
    lock = threading.Lock()

    def work(seed: int) -> None:
        rng = Random(seed)
        mine = Counter[str]()
        try:
            for number in range(500):
                with balancer.pick(key=str(number)) as lease:
                    mine[str(lease.endpoint)] += 1
                    rng.choice([lease.succeeded, lease.failed, lease.cancelled])()
                    lease.failed()
                if seed == 0 and number % 50 == 0:
                    balancer.replace(THREE[: 2 + number % 100 // 50])
        except BaseException as error:
            errors.append(error)
            raise
        with lock:
            picked.update(mine)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sum(picked.values()) == 4_000
    balancer.replace(THREE)
    assert active(balancer) == 0


@pytest.mark.usefixtures("switching_often")
def test_eight_threads_get_exact_weights() -> None:
    balancer = Balancer(
        [Endpoint(host="a", port=1, weight=3), Endpoint(host="b", port=1)], by="weighted"
    )
    picked: list[str] = []

    def work() -> None:
        for _ in range(500):
            with balancer.pick() as lease:
                picked.append(lease.endpoint.host)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(picked) == {"a": 3_000, "b": 1_000}


def drive(coroutine: Coroutine[Any, Any, None], *, cancel_at: int) -> bool:
    """Step a coroutine by hand and cancel it at its nth suspension; return whether it got there."""
    try:
        for _ in range(cancel_at):
            coroutine.send(None)
        coroutine.throw(asyncio.CancelledError())
    except StopIteration:
        return False
    except asyncio.CancelledError:
        return True
    raise AssertionError("the cancellation was swallowed")


def test_cancellation_at_every_await_leaves_nothing_in_flight() -> None:
    balancer = Balancer(THREE, ejection=Ejection(failures=1, calls_min=1))

    async def call() -> None:
        tried: list[Endpoint] = []
        for attempt in range(3):
            with balancer.pick(exclude=tried) as lease:
                tried.append(lease.endpoint)
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                if attempt == 2:
                    lease.succeeded()

    reached = 0
    while drive(call(), cancel_at=reached + 1):
        reached += 1
        assert active(balancer) == 0
        assert away(balancer) == []
    assert reached == 6
