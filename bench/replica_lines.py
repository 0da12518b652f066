"""What it costs to read the lines of a replica: ``python bench/replica_lines.py``.

A program writes numbered lines of 350 bytes at a pace, under the shim that ``mainstay up`` gives to
each replica. Told are the shim's CPU, and the program's own for a line, by the kernel's count.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from pathlib import Path

import psutil

from mainstay.control.processes.logfiles import last_bytes
from mainstay.control.processes.process import LocalProcess, ShimSpec, launch
from mainstay.core.clock import SystemClock, pause

CLOCK = SystemClock()
LINE_BYTES = 350
WRITES = f"""
import os, sys, time
rate, number, began = float(sys.argv[1]), 0, time.monotonic()
while True:
    number += 1
    os.write(1, b"%0{LINE_BYTES - 1}d\\n" % number)
    ahead_s = began + number / rate - time.monotonic()
    if ahead_s > 0:
        time.sleep(ahead_s)
"""


def seen(process: LocalProcess, log: Path) -> tuple[float, float, float, int]:
    """Return the time, both CPU's and the last line that has been read."""
    line = int(last_bytes(log, bytes_max=2 * LINE_BYTES).split(b"\n")[-2])
    shim = psutil.Process(process.shim_pid).cpu_times()
    return CLOCK.monotonic_s(), shim.user + shim.system, process.cpu_s(), line


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rates", default="100,1000,10000", help="lines a second")
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    for rate in options.rates.split(","):
        with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as runner:
            log = Path(folder) / "log"
            order = ShimSpec(
                name="lines",
                argv=(sys.executable, "-c", WRITES, rate),
                cwd=folder,
                env=tuple(os.environ.items()),
                log_path=str(log),
                end_path=f"{folder}/end.json",
            )
            process = runner.run(launch(order))
            pause(1.0)
            before = seen(process, log)
            pause(options.seconds)
            after = seen(process, log)
            runner.run(process.stop(10))
        took_s, shim_s, own_s, lines = (b - a for a, b in zip(before, after, strict=True))
        print(
            f"{lines / took_s:9,.0f} lines/s: the shim {100 * shim_s / took_s:.1f} % of a core, "
            f"{shim_s / lines * 1e6:.1f} µs a line; the program {own_s / lines * 1e6:.1f} µs"
        )


if __name__ == "__main__":
    main()
