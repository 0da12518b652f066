"""Rate limits through Valkey: ``python bench/rate_limits.py [--calls 300] [--json]``.

A real server on loopback. One caller, whose calls follow one another, so that latency is measured;
and 32 callers at once, so that it is what a call costs whoever is the bottleneck, the interpreter
or the server. In each round all jobs take turns; the best round of each counts, since noise only
adds. ``INCR`` is the least that any limit in Valkey could cost. The script costs the server the
same 3 µs whatever the network; so the ratio to ``INCR`` is nowhere worse than here, where a round
trip takes microseconds.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.contract.stores.servers import Valkey as Server

from mainstay.core.clock import SYSTEM_CLOCK
from mainstay.core.limits import Ask
from mainstay.state.limits import ValkeyLimits
from mainstay.state.valkey import Valkey

ROUNDS = 40
CALLERS = 32
INCR_MAX, LIMITS_MAX = 1.15, 1 / 3
"""Issue: at most 1.15 times a bare INCR, and at least three times as fast as ``limits``."""

WITH_HEADERS = "limits, with headers"
"""What a limit says as well, remaining and reset, for the headers: ours says it in any case."""

ASK = Ask("caller", 1e-4, 1_000_000)
THREE = (ASK, Ask("user", 1e-4, 1_000_000), Ask("tenant", 1e-4, 1_000_000))

Job = Callable[[int], None]


def repeat(one: Callable[[], object]) -> Job:
    def run(calls: int) -> None:
        for _ in range(calls):
            one()

    return run


def repeat_in_threads(pool: ThreadPoolExecutor, job: Job) -> Job:
    def run(calls: int) -> None:
        for _ in pool.map(job, [calls // CALLERS] * CALLERS):
            pass

    return run


def arepeat(runner: asyncio.Runner, one: Callable[[], Awaitable[object]], callers: int = 1) -> Job:
    async def some_of(calls: int) -> None:
        for _ in range(calls):
            await one()

    async def all_of(calls: int) -> None:
        await asyncio.gather(*(some_of(calls // callers) for _ in range(callers)))

    if callers == 1:
        return lambda calls: runner.run(some_of(calls))
    return lambda calls: runner.run(all_of(calls))


def sync_jobs(url: str, valkey: Valkey) -> dict[str, Job]:
    import redis
    from limits import parse
    from limits.storage import RedisStorage
    from limits.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter

    bare, ours = redis.Redis.from_url(url), ValkeyLimits(valkey)
    item, storage = parse("1000000/minute"), RedisStorage(url)
    fixed, moving = FixedWindowRateLimiter(storage), MovingWindowRateLimiter(storage)
    few = parse("100/minute")  # A moving window keeps a stamp for each call.
    return {
        "INCR, redis-py": repeat(lambda: bare.incr("n")),
        "INCR, our connection": repeat(lambda: valkey.call("INCR", "n")),
        "ours, 1 limit": repeat(lambda: ours.take((ASK,))),
        "ours, 3 limits": repeat(lambda: ours.take(THREE)),
        "limits, fixed window": repeat(lambda: fixed.hit(item, "caller")),
        "limits, moving window": repeat(lambda: moving.hit(few, "caller")),
        WITH_HEADERS: repeat(
            lambda: (fixed.hit(item, "caller"), fixed.get_window_stats(item, "caller"))
        ),
    }


def async_jobs(
    url: str, valkey: Valkey, runner: asyncio.Runner, callers: int = 1
) -> dict[str, Job]:
    import redis.asyncio
    from limits import parse
    from limits.aio.storage import RedisStorage
    from limits.aio.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter

    bare, ours = redis.asyncio.Redis.from_url(url), ValkeyLimits(valkey)
    item, storage = parse("1000000/minute"), RedisStorage(f"async+{url}", implementation="redispy")
    fixed, moving = FixedWindowRateLimiter(storage), MovingWindowRateLimiter(storage)
    few = parse("100/minute")

    async def with_headers() -> None:
        await fixed.hit(item, "caller")
        await fixed.get_window_stats(item, "caller")

    jobs: dict[str, Callable[[], Awaitable[object]]] = {
        "INCR, redis-py": lambda: bare.incr("n"),
        "INCR, our connection": lambda: valkey.acall("INCR", "n"),
        "ours, 1 limit": lambda: ours.atake((ASK,)),
        "ours, 3 limits": lambda: ours.atake(THREE),
        "limits, fixed window": lambda: fixed.hit(item, "caller"),
        "limits, moving window": lambda: moving.hit(few, "caller"),
        WITH_HEADERS: with_headers,
    }
    return {name: arepeat(runner, job, callers) for name, job in jobs.items()}


def measure(jobs: dict[str, Job], calls: int) -> dict[str, float]:
    """Return the best round's µs a call of each."""
    best = dict.fromkeys(jobs, float("inf"))
    for number in range(ROUNDS + 1):
        for name, job in jobs.items():
            began_s = SYSTEM_CLOCK.monotonic_s()
            job(calls)
            took_us = (SYSTEM_CLOCK.monotonic_s() - began_s) / calls * 1e6
            if number:  # The first round opens connections.
                best[name] = min(best[name], took_us)
    return best


def verdicts(best: dict[str, float]) -> list[tuple[str, float, float]]:
    """Return what is compared, the ratio of one limit of ours to it, and what it may be."""
    ours_us = best["ours, 1 limit"]
    bounds = {
        "INCR, redis-py": INCR_MAX,
        "INCR, our connection": INCR_MAX,
        "limits, fixed window": LIMITS_MAX,
        "limits, moving window": LIMITS_MAX,
        WITH_HEADERS: LIMITS_MAX,
    }
    return [(name, ours_us / best[name], most) for name, most in bounds.items()]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    server, runner = Server(), asyncio.Runner()
    try:
        server.start()
        valkey = Valkey(server.url, timeout_s=10.0)
        alone = sync_jobs(server.url, valkey)
        with ThreadPoolExecutor(CALLERS) as pool:
            together = {name: repeat_in_threads(pool, job) for name, job in alone.items()}
            tasks = async_jobs(server.url, valkey, runner, CALLERS)
            kinds = {
                "one thread": measure(alone, options.calls),
                "one task": measure(async_jobs(server.url, valkey, runner), options.calls),
                f"{CALLERS} threads": measure(together, CALLERS * (options.calls // 10)),
                f"{CALLERS} tasks": measure(tasks, CALLERS * (options.calls // 10)),
            }
        runner.run(valkey.aclose())
    finally:
        runner.close()
        server.close()
    if options.json:
        print(json.dumps(kinds, indent=2))
    short = 0
    for kind, best in kinds.items():
        if not options.json:
            print(f"\n{kind}")
            for name, us in best.items():
                print(f"  {name:24} {us:7.1f} µs")
        for name, ratio, most in verdicts(best):
            short += ratio > most
            if not options.json:
                word = "" if ratio <= most else "  SHORT"
                print(f"  beside {name:24} {ratio:5.2f}, must be <= {most:.2f}{word}")
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())
