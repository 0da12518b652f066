"""A program that counts in children of ``multiprocessing``, and says what it tells of them.

Its arguments: how they begin, and how many.
"""

import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import cache

from mainstay import Telemetry
from mainstay.spec.declaration import Declaration


@cache
def telemetry() -> Telemetry:
    """Return that of this process, made once."""
    return Telemetry(Declaration(service="children", app="a:b"), environ={})


def work(count: int) -> None:
    """Count jobs."""
    jobs = telemetry().registry.counter("jobs", "What was worked on.")
    for _ in range(count):
        jobs.inc()


def say() -> None:
    """Write what this process tells."""
    metrics = telemetry().metrics
    assert metrics is not None
    lines = metrics.endpoint.answer().body.decode().splitlines()
    told = next(line for line in lines if line.startswith("jobs_total"))
    sys.stdout.write(f"{told}\n")


def main(method: str, children: int) -> None:
    """Count here, in children, and here again; say what is told after each."""
    work(1)
    say()
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(children, mp_context=context) as pool:
        list(pool.map(work, [10] * children * 2))
    say()
    work(1)
    say()
    telemetry().close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
