"""What every client of a store keeps, whatever it speaks."""

import asyncio
import inspect
import threading
from typing import Any

import pytest
from tests.contract.stores.conftest import Connect
from tests.contract.stores.drivers import DRIVERS, Driver
from tests.contract.stores.servers import LONG_S, Server, until

from mainstay import AttemptTimeout, Breaker, Bulkhead, Policy, Retry
from mainstay.core.clock import SYSTEM_CLOCK
from mainstay.core.errors import (
    AttemptTimedOut,
    BulkheadFull,
    CircuitOpen,
    DeadlineExceeded,
    MainstayError,
)
from mainstay.service.outbound.adapters.errors import ConnectFailed
from mainstay.service.outbound.events import Attempted
from mainstay.testing import Recorder

EVERYTHING = 3.0
"""Longer than anything is allowed to take here, and shorter than what is asked for."""

SLOW_S = 6.0


def seconds_of(driver: Driver[Any], error: type[BaseException], within_s: float | None) -> float:
    began_s = SYSTEM_CLOCK.monotonic_s()
    with pytest.raises(error):
        driver.run(driver.slow, SLOW_S, within_s=within_s)
    return SYSTEM_CLOCK.monotonic_s() - began_s


def answers(driver: Driver[Any]) -> bool:
    """Return whether it answers in time: the first call opens a connection besides."""
    try:
        driver.run(driver.ping)
    except AttemptTimedOut:
        return False
    return True


def settle(server: Server) -> None:
    """Leave no slow call behind: Valkey sleeps on, whoever waits."""
    server.restart()


def test_the_deadline_cuts_a_slow_call(connect: Connect, server: Server) -> None:
    policy = Policy(name="store", bulkhead=Bulkhead(limit=4), breaker=Breaker())
    driver = connect(policy)
    driver.run(driver.ping)
    took_s = seconds_of(driver, DeadlineExceeded, within_s=0.3)
    assert 0.29 <= took_s < EVERYTHING
    stats = policy.stats()
    # Law 4: the caller's patience says nothing about the dependency.
    assert (stats.in_flight, stats.failures_in_a_row) == (0, 0)
    settle(server)


def test_an_attempt_that_takes_too_long_is_a_failure(connect: Connect, server: Server) -> None:
    policy = Policy(
        name="store",
        bulkhead=Bulkhead(limit=4),
        breaker=Breaker(),
        attempt_timeout=AttemptTimeout(within=0.3),
    )
    driver = connect(policy)
    until(lambda: answers(driver))
    assert 0.29 <= seconds_of(driver, AttemptTimedOut, within_s=None) < EVERYTHING
    stats = policy.stats()
    assert (stats.in_flight, stats.failures_in_a_row) == (0, 1)
    settle(server)


def test_nothing_is_sent_when_no_time_is_left(connect: Connect, recorder: Recorder) -> None:
    policy = Policy(name="store", bulkhead=Bulkhead(limit=4))
    policy.events.add(recorder)
    driver = connect(policy)
    with pytest.raises(DeadlineExceeded) as caught:
        driver.run(driver.ping, within_s=0.0)
    assert caught.value.begun is False
    assert recorder.count(Attempted) == 0


def test_an_error_that_the_server_answers_is_no_failure(
    connect: Connect, recorder: Recorder
) -> None:
    policy = Policy(
        name="store",
        bulkhead=Bulkhead(limit=4),
        breaker=Breaker(failures=1),
        retry=Retry(backoff=(0.001, 0.002)),
    )
    driver = connect(policy)
    driver.run(driver.ping)
    policy.events.add(recorder)
    for _ in range(3):
        with pytest.raises(driver.answer) as caught:
            driver.run(driver.wrong)
        assert not isinstance(caught.value, MainstayError)
    assert recorder.count(Attempted, outcome="failure") == 0
    assert recorder.count(Attempted, attempt=2) == 0
    driver.run(driver.ping)


def test_errors_are_the_client_librarys_too(connect: Connect, server: Server) -> None:
    """Code that was written for the bare client goes on catching what it caught."""
    driver = connect(Policy(name="store", bulkhead=Bulkhead(limit=4)))
    server.kill()
    with pytest.raises(ConnectFailed) as caught:
        driver.run(driver.ping, within_s=LONG_S)
    theirs = {one.__module__.partition(".")[0] for one in type(caught.value).__mro__}
    assert theirs & {"redis", "valkey", "sqlalchemy", "grpc"}
    assert caught.value.__cause__ is not None
    assert repr(caught.value)


def test_a_call_that_never_left_is_tried_again(connect: Connect, server: Server) -> None:
    """The server is away at first; what must not be repeated happens exactly once."""
    policy = Policy(
        name="store",
        bulkhead=Bulkhead(limit=4),
        retry=Retry(attempts=20, backoff=(0.2, 3.0), jitter="none", budget=None),
    )
    driver = connect(policy)
    server.kill()
    back = threading.Timer(0.5, server.start)
    back.start()
    try:
        assert driver.run(driver.count, within_s=LONG_S) == 1
    finally:
        back.join(LONG_S)
    assert driver.run(driver.count) == 2


def test_what_may_have_been_sent_is_not_sent_twice(
    connect: Connect, server: Server, recorder: Recorder
) -> None:
    policy = Policy(
        name="store", bulkhead=Bulkhead(limit=4), retry=Retry(backoff=(0.001, 0.002), budget=None)
    )
    driver = connect(policy)
    driver.run(driver.ping)
    policy.events.add(recorder)
    crash = threading.Timer(0.3, server.kill)
    crash.start()
    try:
        with pytest.raises(MainstayError):
            driver.run(driver.slow, SLOW_S, within_s=LONG_S)
    finally:
        crash.join(LONG_S)
    failed = recorder.of(Attempted, outcome="failure")
    assert [one.attempt for one in failed] == [1]
    assert policy.stats().in_flight == 0


def test_a_stale_connection_is_replaced(connect: Connect, server: Server) -> None:
    """The server closed an idle connection; there is no retry, and the caller notices nothing."""
    policy = Policy(name="store", bulkhead=Bulkhead(limit=4), breaker=Breaker(failures=1))
    driver = connect(policy)
    driver.run(driver.count)
    server.restart()
    assert driver.run(driver.count, within_s=LONG_S) >= 1
    assert policy.stats().failures_in_a_row == 0


@pytest.mark.parametrize("how", ["pause", "kill"])
def test_the_breaker_opens_while_the_server_is_away(
    how: str, connect: Connect, server: Server, recorder: Recorder
) -> None:
    policy = Policy(
        name="store",
        bulkhead=Bulkhead(limit=4),
        breaker=Breaker(failures=3, open=0.2, open_max=0.2, successes=2),
        attempt_timeout=AttemptTimeout(within=0.3),
    )
    driver = connect(policy)
    driver.run(driver.ping)
    policy.events.add(recorder)
    getattr(server, how)()
    try:
        # Rejections are seen while the circuit is open; in between, probes find the server away.
        until(lambda: ends_with(driver, CircuitOpen))
        outcomes = {one.outcome for one in recorder.of(Attempted)}
        assert outcomes <= {"failure", "timeout"}
        assert recorder.count(Attempted) >= 3
    finally:
        (server.resume if how == "pause" else server.start)()
    until(lambda: ends_with(driver, None) and policy.stats().state == "closed")


def ends_with(driver: Driver[Any], kind: type[MainstayError] | None) -> bool:
    """Return whether a call ends with such an error; None: with an answer."""
    try:
        driver.run(driver.ping, within_s=2.0)
    except MainstayError as error:
        return kind is not None and isinstance(error, kind)
    return kind is None


def test_fifty_at_once_pass_a_bulkhead_of_eight(connect: Connect) -> None:
    policy = Policy(name="store", bulkhead=Bulkhead(limit=8, queue=50, wait=LONG_S))
    driver = connect(policy)
    results = driver.many(driver.ping, 50)
    assert [one for one in results if isinstance(one, BaseException)] == []
    assert policy.stats().in_flight == 0
    most = driver.most_at_once()
    if most is not None:
        assert 1 <= most <= 8


def test_a_full_bulkhead_rejects_at_once(connect: Connect) -> None:
    policy = Policy(name="store", bulkhead=Bulkhead(limit=2))
    driver = connect(policy)
    driver.run(driver.ping)

    def slow() -> Any:
        return driver.slow(0.5)

    async def slow_async() -> Any:
        return await driver.slow(0.5)

    job = slow_async if inspect.iscoroutinefunction(driver.slow) else slow
    results = driver.many(job, 6)
    assert sum(isinstance(one, BulkheadFull) for one in results) >= 1
    assert sum(not isinstance(one, BaseException) for one in results) >= 2
    assert policy.stats().in_flight == 0


@pytest.mark.parametrize("kind", [one for one in DRIVERS if one.endswith("-async")])
def test_a_cancelled_call_gives_everything_back(connect: Connect, server: Server) -> None:
    """Its slot, and its connection, on which no late answer is taken for that of another call."""
    policy = Policy(name="store", bulkhead=Bulkhead(limit=1), breaker=Breaker(failures=1))
    driver = connect(policy)

    async def cancelled() -> tuple[int | None, int | None]:
        task = asyncio.ensure_future(driver.slow(1.0))
        while not policy.stats().in_flight:  # noqa: ASYNC110  Nobody tells.
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        stats = policy.stats()
        return stats.in_flight, stats.failures_in_a_row

    driver.run(driver.ping)
    assert driver.runner.run(cancelled()) == (0, 0)
    assert driver.run(driver.count) == 1
    assert driver.run(driver.count) == 2
    settle(server)
