"""What policies and deadlines hold in memory: rows of ``outbound.py``."""

import asyncio
import gc
import tracemalloc
from collections.abc import Callable
from typing import Any

from mainstay import (
    AttemptTimeout,
    Breaker,
    Bulkhead,
    Deadline,
    Fallback,
    Hedge,
    Policy,
    RateLimit,
    Retry,
    deadline,
)
from mainstay.core.alarm import Lane
from mainstay.core.clock import SYSTEM_CLOCK


def bare() -> Policy:
    return Policy()


def every_part() -> Policy:
    """All parts that there are, each with what takes most: windows, percentiles, a queue."""
    return Policy(
        fallback=Fallback(last_good=100), deadline=Deadline("5s"),
        bulkhead=Bulkhead(limit=32, queue=32, wait="1s"), rate_limit=RateLimit(rate=100, burst=100),
        retry=Retry(), hedge=Hedge(after="p95"), attempt_timeout=AttemptTimeout(within="auto"),
        breaker=Breaker(rate="50% of 20 in 30s", slow="1s", slow_rate="50% of 20 in 30s"),
    )  # fmt: skip


def bytes_of(make: Callable[[], Policy]) -> float:
    """Return what one policy holds: of a thousand, a thousandth."""
    make()
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    policies = [make() for _ in range(1000)]
    policy_bytes = (tracemalloc.get_traced_memory()[0] - before) / len(policies)
    tracemalloc.stop()
    return policy_bytes


def memory_rows(everything: Callable[[], Policy]) -> list[dict[str, Any]]:
    """Return the rows; ``everything`` makes a policy with all parts."""
    everything().call(int)
    policy_bytes = bytes_of(everything)
    alarm_bytes, task_bytes = (
        asyncio.run(alarm_bytes_each(10_000)),
        asyncio.run(task_bytes_each(10_000)),
    )
    return [
        {"job": "memory of a policy with everything, bytes", "value": round(policy_bytes),
         "target": 4096, "reached": policy_bytes < 4096},
        {"job": "memory of a policy without parts, bytes", "value": round(bytes_of(bare)),
         "target": None, "reached": None},
        {"job": "memory of a policy with every part there is, bytes",
         "value": round(bytes_of(every_part)), "target": None, "reached": None},
        {"job": "memory of an idle deadline: the alarm, its time, its place, bytes",
         "value": round(alarm_bytes), "target": 200, "reached": alarm_bytes < 200},
        {"job": "what `async with deadline` adds to a waiting task, context included, bytes",
         "value": round(task_bytes), "target": None, "reached": None},
    ]  # fmt: skip


async def alarm_bytes_each(count: int) -> float:
    """Alarms of attempts that are on their way, each in the bucket of its policy."""
    lane, now_s = Lane(60.0, SYSTEM_CLOCK), SYSTEM_CLOCK.monotonic_s()
    lane.set(now_s, now_s + 60.0, (), None)
    gc.collect()
    tracemalloc.start()
    alarms = [lane.set(now_s, now_s + 60.0 + nth * 1e-9, (), None) for nth in range(count)]
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    for alarm in alarms:
        alarm.silence(None)
    return used / count


async def task_bytes_each(count: int) -> float:
    """Deadlines of as many tasks: what one adds to a task that waits without."""

    async def wait(gate: asyncio.Event, *, bounded: bool) -> None:
        if bounded:
            async with deadline(60.0):
                await gate.wait()
        else:
            await gate.wait()

    async def held(*, bounded: bool) -> float:
        gate = asyncio.Event()
        gc.collect()
        tracemalloc.start()
        tasks = [asyncio.ensure_future(wait(gate, bounded=bounded)) for _ in range(count)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        used = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        gate.set()
        await asyncio.gather(*tasks)
        return used

    await held(bounded=True)
    return (await held(bounded=True) - await held(bounded=False)) / count
