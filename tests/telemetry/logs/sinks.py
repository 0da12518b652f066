"""Outlets that keep what they get, and readers that read when they are told to."""

import json
from typing import Any

from mainstay.telemetry.logs.burst import Burst
from mainstay.telemetry.logs.logger import Door, Logger
from mainstay.telemetry.logs.logs import Logs
from mainstay.telemetry.logs.outlet import Outlet
from mainstay.telemetry.logs.writer import Writer
from mainstay.testing.clock import VirtualClock


class Kept:
    """What was written, at once and whole."""

    def __init__(self) -> None:
        self.written = b""
        self.calls = 0

    def outlet(self) -> Outlet:
        return Outlet(self.write, -1, whole=True, close=lambda: None)

    def write(self, data: bytes) -> int:
        self.written += data
        self.calls += 1
        return len(data)

    def lines(self) -> list[dict[str, Any]]:
        """Return the lines so far; each is one of JSON, or this fails."""
        assert self.written == b"" or self.written.endswith(b"\n")
        return [json.loads(line) for line in self.written.split(b"\n")[:-1]]

    def last(self) -> dict[str, Any]:
        return self.lines()[-1]


def silent_writer() -> Writer:
    """Return a writer of lines that nobody reads."""
    return Writer(Outlet(len, -1, whole=True, close=lambda: None))


def logs_into(kept: Kept, *, clock: VirtualClock | None = None, **changed: Any) -> Logs:
    given: dict[str, Any] = {
        "service": "shop",
        "version": "v1",
        "replica": "shop-1",
        "environment": "test",
        "writer": Writer(kept.outlet()),
        "clock": clock or VirtualClock(),
    }
    return Logs(**{**given, **changed})


def logger_into(kept: Kept, **changed: Any) -> Logger:
    return Logger("shop.orders", Door(logs_into(kept, **changed)))


def burst_of(lines: int) -> Burst:
    """Return a limit of one line a second, after so many at once."""
    return Burst(1.0, burst=lines)
