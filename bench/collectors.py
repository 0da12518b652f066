"""What a collector that fails costs requests: ``python bench/collectors.py``.

The same Starlette app under the whole stack, in a server of its own for each collector: one that
takes spans, one that isn't there, one that takes five seconds, one that refuses. Rounds alternate;
what is told is the median of the ratios of neighbours to the one whose collector works, in
requests/s and in CPU.
"""

import argparse
import contextlib
import json
import socket
import statistics
from collections.abc import Iterator

from stack import drive, receiving, served

COLLECTORS = {"takes": (200, 0.0), "away": None, "slow": (200, 5.0), "refuses": (503, 0.0)}


@contextlib.contextmanager
def collector(told: tuple[int, float] | None) -> Iterator[int]:
    """Run a collector; yield its port, on which nobody listens where there is none."""
    if told is None:
        with socket.socket() as reserved:
            # Bound and not listening: whoever connects is refused at once.
            reserved.bind(("127.0.0.1", 0))
            yield reserved.getsockname()[1]
        return
    with receiving(*told) as port:
        yield port


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        found = {}
        for name, told in COLLECTORS.items():
            port = stack.enter_context(collector(told))
            found[name] = stack.enter_context(served("starlette-whole", "granian", port))
        for one in found.values():
            drive(one.port, 2.0)
        for _ in range(options.rounds):
            for one in found.values():
                one.round(options.seconds)
    works = found["takes"]
    result = {}
    for name, one in found.items():
        rate = statistics.median(a / b for a, b in zip(one.rates, works.rates, strict=True))
        cpu = statistics.median(a / b for a, b in zip(one.cpu_us, works.cpu_us, strict=True))
        result[name] = {"requests_per_s": round(rate, 3), "cpu": round(cpu, 3)}
        if not options.json:
            print(f"collector {name:8} requests/s {rate:.3f}  CPU a request {cpu:.3f}")
    if options.json:
        print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
