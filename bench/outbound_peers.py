"""What else does each job of ``outbound.py``: the peers' own documented way, at its fastest.

Each maker returns a guarded function, or raises ImportError where its package is not installed.
"""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

Maker = Callable[[Any], Any]
FAILURES = 5
LATER_S = 60.0


class Outage(Exception):
    """What the dependency raises in these jobs."""


def circuitbreaker(fn: Any) -> Any:
    from circuitbreaker import CircuitBreaker

    return CircuitBreaker(failure_threshold=FAILURES, recovery_timeout=LATER_S, name="bench")(fn)


def pybreaker(fn: Any) -> Any:
    import pybreaker as peer

    return peer.CircuitBreaker(fail_max=FAILURES, reset_timeout=LATER_S)(fn)


def aiobreaker(fn: Any) -> Any:
    from datetime import timedelta

    import aiobreaker as peer

    later = timedelta(seconds=LATER_S)
    return peer.CircuitBreaker(fail_max=FAILURES, timeout_duration=later)(fn)


def purgatory_sync(fn: Any) -> Any:
    from purgatory import SyncCircuitBreakerFactory

    return SyncCircuitBreakerFactory(default_threshold=FAILURES, default_ttl=LATER_S)("bench")(fn)


def purgatory_async(fn: Any) -> Any:
    from purgatory import AsyncCircuitBreakerFactory

    return AsyncCircuitBreakerFactory(default_threshold=FAILURES, default_ttl=LATER_S)("bench")(fn)


def hyx_breaker(fn: Any) -> Any:
    from hyx.circuitbreaker import consecutive_breaker

    peer = consecutive_breaker(
        exceptions=(Outage,), failure_threshold=FAILURES, recovery_time_secs=LATER_S,
        recovery_threshold=2,
    )  # fmt: skip
    return peer(fn)


def pyfailsafe_breaker(fn: Any) -> Any:
    from failsafe import CircuitBreaker, Failsafe

    run = Failsafe(circuit_breaker=CircuitBreaker(maximum_failures=FAILURES)).run

    async def call(value: int) -> Any:
        return await run(fn, value)

    return call


def pyresilience_breaker(fn: Any) -> Any:
    from pyresilience import CircuitBreakerConfig, resilient

    return resilient(circuit_breaker=CircuitBreakerConfig(failure_threshold=FAILURES))(fn)


def pyresilience_retry(fn: Any) -> Any:
    from pyresilience import RetryConfig, resilient

    return resilient(retry=RetryConfig(max_attempts=3))(fn)


def stamina(fn: Any) -> Any:
    import stamina as peer

    return peer.retry(on=Outage, attempts=3)(fn)


def tenacity(fn: Any) -> Any:
    import tenacity as peer

    return peer.retry(stop=peer.stop_after_attempt(3))(fn)


def backoff(fn: Any) -> Any:
    import backoff as peer

    return peer.on_exception(peer.expo, Outage, max_tries=3)(fn)


def pyfailsafe_retry(fn: Any) -> Any:
    from failsafe import Failsafe, RetryPolicy

    run = Failsafe(retry_policy=RetryPolicy(allowed_retries=2)).run

    async def call(value: int) -> Any:
        return await run(fn, value)

    return call


def asyncio_timeout(fn: Any) -> Any:
    async def call(value: int) -> Any:
        async with asyncio.timeout(5.0):
            return await fn(value)

    return call


def call_later_and_cancel(fn: Any) -> Any:
    async def call(value: int) -> Any:
        handle = asyncio.get_running_loop().call_later(5.0, _nothing)
        try:
            return await fn(value)
        finally:
            handle.cancel()

    return call


def _nothing() -> None:
    pass


def semaphore(fn: Any) -> Any:
    slots = asyncio.Semaphore(32)

    async def call(value: int) -> Any:
        async with slots:
            return await fn(value)

    return call


def hyx_bulkhead(fn: Any) -> Any:
    from hyx.bulkhead import bulkhead

    return bulkhead(max_concurrency=32, max_capacity=32)(fn)


def limits(fn: Any) -> Any:
    from limits import RateLimitItemPerSecond, storage, strategies

    limiter = strategies.MovingWindowRateLimiter(storage.MemoryStorage())
    fixed = strategies.FixedWindowRateLimiter(limiter.storage)
    # The fixed window is the faster one, and does less.
    item = RateLimitItemPerSecond(100_000_000)

    def call(value: int) -> Any:
        if not fixed.hit(item, "bench"):
            raise Outage
        return fn(value)

    return call


def bucket_by_hand(fn: Any) -> Any:
    from mainstay.core.clock import SYSTEM_CLOCK

    now, lock, state = SYSTEM_CLOCK.monotonic_s, threading.Lock(), [1e8, 0.0]

    def call(value: int) -> Any:
        with lock:
            now_s = now()
            tokens = min(1e8, state[0] + (now_s - state[1]) * 1e8)
            if tokens < 1:
                raise Outage
            state[:] = tokens - 1, now_s
        return fn(value)

    return call


def timeout_and_semaphore(fn: Any) -> Any:
    return semaphore(asyncio_timeout(fn))


def backoff_and_circuitbreaker(fn: Any) -> Any:
    return semaphore(asyncio_timeout(backoff(circuitbreaker(fn))))


def stamina_and_purgatory(fn: Any) -> Any:
    return semaphore(asyncio_timeout(stamina(purgatory_async(fn))))


def pyresilience_everything(fn: Any) -> Any:
    from pyresilience import BulkheadConfig, CircuitBreakerConfig, RetryConfig, resilient

    # Without its timeout, which moves a synchronous call to another thread and costs 50 µs.
    return resilient(
        bulkhead=BulkheadConfig(max_concurrent=32),
        retry=RetryConfig(max_attempts=3),
        circuit_breaker=CircuitBreakerConfig(failure_threshold=FAILURES),
    )(fn)


def tenacity_and_pybreaker(fn: Any) -> Any:
    return tenacity(pybreaker(fn))
