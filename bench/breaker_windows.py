"""Calls through one breaker: what ``perf stat -e instructions:u`` counts, whatever else runs.

    perf stat -e instructions:u python bench/breaker_windows.py time 20000
    perf stat -e instructions:u python bench/breaker_windows.py time 220000

The difference, by 200,000, is what one call costs, the loop and the function included.
"""

import argparse
import contextlib

from mainstay import Breaker, Policy

TIME = "50% of 20 in 30s"
KINDS: dict[str, Breaker | None] = {
    "none": None,
    "bare": Breaker(),
    "time": Breaker(rate=TIME),
    "calls": Breaker(rate="50% of 20 in 100 calls"),
    "failed": Breaker(rate=TIME),
    "slow": Breaker(slow="1s", slow_rate=TIME),
}
"""By what is asked; none: the function alone; failed: once, so that the window is not quiet."""


def answer(value: int) -> int:
    return value


def fail() -> None:
    raise ConnectionError


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("calls", type=int)
    wanted = parser.parse_args()
    breaker, call = KINDS[wanted.kind], answer
    if breaker is not None:
        policy = Policy(breaker=breaker)
        call = policy(answer)
        if wanted.kind == "failed":
            with contextlib.suppress(ConnectionError):
                policy.call(fail)
    for value in range(wanted.calls):
        call(value)


if __name__ == "__main__":
    main()
