"""What a line of a log costs: ``python bench/logs.py [--calls 20000] [--json]``.

One call with six fields to a null stream, beside structlog with its own encoder and with orjson;
neither of those masks. All jobs take turns in one run and the best round of each counts, since
noise only adds. ``perf stat -e instructions:u`` says the same without noise.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

import orjson
import structlog

from mainstay.core.clock import SYSTEM_CLOCK
from mainstay.core.trace import arrive, enter_trace, leave_trace
from mainstay.service.inbound.exchange import TRACE_KEY, Exchange
from mainstay.telemetry.logs import AccessLine, Logger, Logs
from mainstay.telemetry.logs.burst import Burst
from mainstay.telemetry.logs.logger import Door
from mainstay.telemetry.logs.outlet import Outlet
from mainstay.telemetry.logs.writer import Writer
from mainstay.telemetry.masking import Masker

ROUNDS = 25
LINE_US_MAX, ACCESS_US_MAX = 4.0, 4.0
"""Issue: a call with masking on; the brief of the access line."""

FIELDS: dict[str, Any] = {
    "order_id": "o-1234567",
    "user_id": 42,
    "amount": 12.5,
    "currency": "EUR",
    "items": 3,
    "paid": True,
}

WHO = {
    "service": "shop",
    "version": "v1",
    "replica": "shop-1",
    "environment": "dev",
    "logger": "shop.orders",
}

Job = Callable[[], object]


def null_logs() -> Logs:
    sink = os.open(os.devnull, os.O_WRONLY)
    outlet = Outlet(partial(os.write, sink), sink, whole=True, close=partial(os.close, sink))
    # A limit that decides at each line and drops none.
    burst = Burst(1e9, burst=10**9)
    return Logs(service="shop", version="v1", replica="shop-1", writer=Writer(outlet), burst=burst)


def ours() -> dict[str, Job]:
    logs = null_logs()
    log = Logger("shop.orders", Door(logs))
    trace = arrive(Random(7))

    def within() -> None:
        token = enter_trace(trace)
        log.info("order placed", **FIELDS)
        leave_trace(token)

    access = AccessLine(logs, lambda _exchange: "/orders/{id}")
    masker = Masker()
    masker.mapping(FIELDS)
    return {
        "ours, masked": lambda: log.info("order placed", **FIELDS),
        "ours, masked, within a request": within,
        "ours, below the level": lambda: log.debug("order placed", **FIELDS),
        "access line": partial(access.ended, exchange(), 5.0125),
        "masking of the six fields alone": lambda: masker.mapping(FIELDS),
        "masking of a sentence": lambda: masker.text("user 4711 logged in from 10.0.0.1 today"),
        "masking of a UUID": lambda: masker.text("f47ac10b-58cc-4372-a567-0e02b2c3d479"),
        "masking of a secret": lambda: masker.text("db: password=hunter22 host=db"),
    }


def exchange() -> Exchange:
    made = Exchange()
    made.method, made.path, made.status, made.size = "GET", "/orders/17", 200, 17
    made.started_s, made.client, made.error, made.refusal = 5.0, "127.0.0.1", None, None
    trace = arrive(Random(7))
    made.scope, made.request_id = {TRACE_KEY: trace}, trace.request_id
    return made


def structlogs() -> dict[str, Job]:
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.format_exc_info,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    # Kept open as long as the program runs.
    text = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123  As above.
    binary = open(os.devnull, "wb")  # noqa: SIM115, PTH123  As above.
    plain = structlog.wrap_logger(
        structlog.PrintLogger(text),
        processors=[*shared, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(20),
    ).bind(**WHO)
    fast = structlog.wrap_logger(
        structlog.BytesLogger(binary),
        processors=[*shared, structlog.processors.JSONRenderer(serializer=orjson.dumps)],
        wrapper_class=structlog.make_filtering_bound_logger(20),
    ).bind(**WHO)
    return {
        "structlog, JSONRenderer": lambda: plain.info("order placed", **FIELDS),
        "structlog, orjson": lambda: fast.info("order placed", **FIELDS),
    }


def round_us(job: Job, calls: int) -> float:
    begun_s = SYSTEM_CLOCK.monotonic_s()
    for _ in range(calls):
        job()
    return (SYSTEM_CLOCK.monotonic_s() - begun_s) / calls * 1e6


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=5_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    jobs = {**ours(), **structlogs()}
    best_us = dict.fromkeys(jobs, float("inf"))
    for _ in range(ROUNDS):
        for name, job in jobs.items():
            best_us[name] = min(best_us[name], round_us(job, options.calls))
    if options.json:
        print(json.dumps({name: round(us, 3) for name, us in best_us.items()}))
    else:
        line_us = best_us["ours, masked"]
        for name, us in best_us.items():
            print(f"{name:34} {us:7.2f} µs   {us / line_us:5.2f} x ours")
    held = best_us["ours, masked"] <= LINE_US_MAX and best_us["access line"] <= ACCESS_US_MAX
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
