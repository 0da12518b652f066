"""No coordinated omission: a server that stalls for a second shows it."""

import asyncio

import pytest

from mainstay.control.load import LoadPlan, run_load, target
from mainstay.core.clock import SystemClock

pytestmark = pytest.mark.system

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
STALL_S = 1.0
RATE_PER_S = 100.0
CLOCK = SystemClock()


class StallingServer(asyncio.Protocol):
    """Answers at once, but once stands still for a second, as a process in a long pause does."""

    stalled = False
    served = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        del data
        kind = type(self)
        kind.served += 1
        if kind.served < 100:
            self.transport.write(OK)
            return
        loop = asyncio.get_running_loop()
        if not kind.stalled:
            kind.stalled = True
            kind.until_s = CLOCK.monotonic_s() + STALL_S
        loop.call_at(max(kind.until_s, loop.time()), self.transport.write, OK)

    until_s = 0.0


async def test_a_stall_is_in_the_open_loop_and_would_be_hidden_by_a_closed_one() -> None:
    """Of 300 requests at 100/s, those due in the stalled second waited for what was left of it.

    A closed loop has one caller that waits: it meets the stall once, in 1 of its requests, and
    its p99 says nothing of it. That is computed from the open loop's own unstalled figures.
    """

    class Server(StallingServer):
        pass

    loop = asyncio.get_running_loop()
    listening = await loop.create_server(Server, "127.0.0.1", 0)
    async with listening:
        port = listening.sockets[0].getsockname()[1]
        report = await run_load(
            LoadPlan(
                targets=(target(f"http://127.0.0.1:{port}/"),),
                rate_per_s=RATE_PER_S,
                requests=300,
            )
        )
    assert (report.requests, report.failed) == (300, 0)
    assert report.latency is not None
    assert report.latency.p99_ms > 800 * STALL_S
    assert report.latency.max_ms >= 1000 * STALL_S * 0.99
    # A third of the requests were due in that second; their mean wait was half of it.
    assert report.latency.p75_ms > 100 * STALL_S
    seconds = [step.p99_ms or 0.0 for step in report.timeline]
    assert max(seconds) == seconds[0] or max(seconds) == seconds[1]
    closed_loop_ms = sorted([report.latency.p50_ms] * 299 + [1000 * STALL_S])
    assert closed_loop_ms[int(0.99 * 300) - 1] < 100 * STALL_S < report.latency.p99_ms
