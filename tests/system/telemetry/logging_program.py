"""A program that logs and comes to its end in the way that it is told."""

import logging
import os
import signal
import sys
import threading
import warnings
from random import Random

from mainstay.core.clock import SYSTEM_CLOCK
from mainstay.core.trace import arrive, enter_trace, leave_trace
from mainstay.telemetry.logs import Logger, Logs
from mainstay.telemetry.logs.logger import Door
from mainstay.telemetry.logs.standard import Standard
from mainstay.telemetry.logs.unhandled import join_unhandled
from mainstay.telemetry.logs.writer import stdout_writer

CHILDREN = 4
LINES = 300
BATCH = 100
"""Lines that a pipe surely holds."""


def forked(log: Logger) -> None:
    """Log in this process and in children, all on one pipe, each for its own requests."""
    # Forks come while another thread is in the midst of a line.
    busy = threading.Thread(target=keep_busy, args=(log,))
    busy.start()
    children = []
    for child in range(CHILDREN):
        pid = os.fork()
        if pid == 0:
            requests(log, child)
            # The reader is slower than five processes: an exit like this asks nobody else.
            stdout_writer().close()
            os._exit(0)
        children.append(pid)
    requests(log, CHILDREN)
    for pid in children:
        os.waitpid(pid, 0)
    busy.join()


def keep_busy(log: Logger) -> None:
    for _ in range(LINES):
        log.info("busy")


def requests(log: Logger, process: int) -> None:
    rng = Random(process)
    for number in range(LINES):
        trace = arrive(rng)
        token = enter_trace(trace)
        log.info("forked", process=process, number=number, expected=trace.trace_id, pad="x " * 150)
        leave_trace(token)


def stuck(log: Logger) -> None:
    """Log more than the pipe and the queue hold, and say on stderr how long a call took at most."""
    slowest_s = 0.0
    for number in range(30_000):
        begun_s = SYSTEM_CLOCK.monotonic_s()
        log.info("stuck", number=number)
        slowest_s = max(slowest_s, SYSTEM_CLOCK.monotonic_s() - begun_s)
    sys.stderr.write(f"{slowest_s} {stdout_writer().lost}\n")
    sys.stderr.flush()
    sys.stdin.read()


def endless(log: Logger) -> None:
    """Log until somebody kills us: BATCH lines for each byte on stdin, each confirmed on stderr."""
    number = 0
    while os.read(0, 1):
        for _ in range(BATCH):
            log.info("endless", number=number)
            os.write(2, b"%d\n" % number)
            number += 1


def mixed(log: Logger) -> None:
    """Say lines in all ways between prints."""
    sys.stdout.write("printed first\n")
    sys.stdout.flush()
    log.info("ours")
    logging.getLogger("standard").warning("standard, with password=%s", "hunter22")
    warnings.warn("warned", stacklevel=1)
    sys.stdout.write("printed last\n")


def main() -> None:
    way = sys.argv[1]
    door = Door(Logs(service="program", version="v1"))
    log = Logger("program", door)
    Standard(door)
    join_unhandled(door)
    if way in {"forked", "stuck", "endless", "mixed"}:
        {"forked": forked, "stuck": stuck, "endless": endless, "mixed": mixed}[way](log)
        return
    for number in range(100):
        log.info("before the end", number=number)
    log.error("last words")
    if way == "exit":
        os._exit(3)
    if way == "raise":
        raise ValueError("secret=hunter22")
    os.kill(os.getpid(), getattr(signal, way))


if __name__ == "__main__":
    main()
