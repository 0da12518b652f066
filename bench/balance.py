"""What a choice costs: ``python bench/balance.py [--picks 1000] [--json]``.

One thread, no network. For each way and each number of endpoints: the picker alone, and all of a
call's balancing (pick, lease, settlement with outlier ejection). All of them run in turn in each
round, and the best round counts, since noise only adds.
"""

import argparse
import json
import sys
import threading
from collections.abc import Callable
from random import Random
from typing import get_args

from mainstay.core.clock import SystemClock
from mainstay.service.outbound.balance import Balancer, Way

ROUNDS = 25
ENDPOINTS = (3, 10, 100)
THREADS = 8
KEY = "customer-4711"

CLOCK = SystemClock()


def balancer(way: Way, count: int) -> Balancer:
    return Balancer([f"10.0.0.{number}:8080" for number in range(count)], by=way, rng=Random(1))


def choice(way: Way, count: int) -> Callable[[int], None]:
    made = balancer(way, count)
    picker, members = made._picker, made._roster.serving  # noqa: SLF001  The choice without its shell.

    def run(picks: int) -> None:
        for _ in range(picks):
            picker.pick(members, 1.0, KEY)

    return run


def whole(way: Way, count: int) -> Callable[[int], None]:
    made = balancer(way, count)

    def run(picks: int) -> None:
        for _ in range(picks):
            made.pick(key=KEY).succeeded(0.01)

    return run


def shared(way: Way, count: int) -> Callable[[int], None]:
    work = whole(way, count)

    def run(picks: int) -> None:
        each = picks // THREADS
        threads = [threading.Thread(target=work, args=(each,)) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return run


def measure(jobs: dict[str, Callable[[int], None]], picks: int) -> dict[str, float]:
    """Return the nanoseconds a pick of each job."""
    best = dict.fromkeys(jobs, float("inf"))
    for _ in range(ROUNDS):
        for name, job in jobs.items():
            begun_s = CLOCK.monotonic_s()
            job(picks)
            best[name] = min(best[name], (CLOCK.monotonic_s() - begun_s) / picks * 1e9)
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--picks", type=int, default=1_000)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    jobs: dict[str, Callable[[int], None]] = {}
    for way in get_args(Way):
        for count in ENDPOINTS:
            jobs[f"{way} {count} choice"] = choice(way, count)
            jobs[f"{way} {count} whole"] = whole(way, count)
    best = measure(jobs, arguments.picks)
    # Threads are dear to start: more picks for each start.
    crowd = {f"{way} 3 threads": shared(way, 3) for way in get_args(Way)}
    best |= measure(crowd, arguments.picks * 40)
    if arguments.json:
        sys.stdout.write(
            json.dumps({name: round(ns) for name, ns in best.items()}, indent=1) + "\n"
        )
        return
    sys.stdout.write("ns a call: the choice alone / pick and settlement, by number of endpoints\n")
    sys.stdout.write(f"{'':20}" + "".join(f"{count:>16}" for count in ENDPOINTS))
    sys.stdout.write(f"{f'3, {THREADS} threads':>16}\n")
    for way in get_args(Way):
        cells = [
            f"{best[f'{way} {count} choice']:.0f} / {best[f'{way} {count} whole']:.0f}"
            for count in ENDPOINTS
        ]
        cells.append(f"{best[f'{way} 3 threads']:.0f}")
        sys.stdout.write(f"{way:20}" + "".join(f"{cell:>16}" for cell in cells) + "\n")


if __name__ == "__main__":
    main()
