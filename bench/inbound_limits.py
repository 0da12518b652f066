"""What limits of requests cost in memory: ``python bench/inbound_limits.py [--calls 50000]``.

Nanoseconds a request, headers included, of the quickest of several rounds; and what a million
callers leave in memory, each of which has spent its quota for the day.
"""

import argparse
import tracemalloc
from collections.abc import Callable

from mainstay.core.clock import SYSTEM_CLOCK
from mainstay.core.events import Listeners
from mainstay.service.inbound.exchange import Exchange
from mainstay.service.inbound.ratelimit.limits import Limits
from mainstay.service.inbound.ratelimit.memory import BUCKETS_MAX, Memory, Rule
from mainstay.spec.kinds.units import quota
from mainstay.spec.ratelimit import RateLimit

ROUNDS = 9
MILLION = 1_000_000
RATE = quota("100/s")
ADDRESS = RateLimit(rate=RATE)
LOGIN = RateLimit(rate=RATE, name="login", routes=("/login",))
KEY = RateLimit(rate=RATE, name="key", by="header:X-Key")
NEVER = RateLimit(rate=quota("1/d"))

Job = Callable[[int, float], None]


def exchange(client: str) -> Exchange:
    one = Exchange()
    one.kind, one.method, one.path, one.client = "http", "GET", "/orders/7", client
    one.get = {b"x-key": b"0123456789abcdef0123456789abcdef"}.get
    one.noted = None
    return one


def requests(*options: RateLimit, client: str = "203.0.113.9", apart_s: float = 1.0) -> Job:
    limits = Limits(options, clock=SYSTEM_CLOCK, events=Listeners(), store=None, service="shop")
    one, ask = exchange(client), limits.ask

    def run(calls: int, began_s: float) -> None:
        for number in range(calls):
            one.noted = None
            ask(one, began_s + number * apart_s)

    return run


def takes(rule: Rule) -> Job:
    take = Memory().take

    def run(calls: int, began_s: float) -> None:
        for number in range(calls):
            take(rule, "203.0.113.9", 1, began_s + number)

    return run


JOBS: dict[str, Job] = {
    "a take alone": takes(Rule(every_s=0.01, burst=100, buckets_max=100)),
    "by address": requests(ADDRESS),
    "by address, IPv6": requests(ADDRESS, client="2001:db8:1:2::9"),
    "by address, no headers": requests(RateLimit(rate=RATE, headers=False)),
    "by key": requests(KEY),
    "by address, and one that doesn't cover it": requests(ADDRESS, LOGIN),
    "by address and by key": requests(ADDRESS, KEY),
    "one that doesn't cover it": requests(LOGIN),
    "refused": requests(NEVER, apart_s=0.0),
}


def cost_ns(job: Job, calls: int) -> float:
    best_s, began_s = float("inf"), 1e6
    for _ in range(ROUNDS):
        start_s = SYSTEM_CLOCK.monotonic_s()
        job(calls, began_s)
        best_s = min(best_s, SYSTEM_CLOCK.monotonic_s() - start_s)
        began_s += calls
    return best_s / calls * 1e9


def million_bytes() -> tuple[int, int]:
    """Return the bytes held after, and at the worst."""
    memory, rule = Memory(), Rule(every_s=86_400.0, burst=1, buckets_max=BUCKETS_MAX)
    tracemalloc.start()
    for number in range(MILLION):
        memory.take(rule, f"198.51.{number}", 1, number * 1e-6)
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return held, peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=50_000)
    calls = parser.parse_args().calls
    for name, job in JOBS.items():
        print(f"{name:45s} {cost_ns(job, calls):7,.0f} ns")
    held, peak = million_bytes()
    print(f"{'a million callers':45s} {held / 1e6:7.1f} MB, at the worst {peak / 1e6:.1f}")


if __name__ == "__main__":
    main()
