"""Whether a replica has a port for its probes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

import pytest

from mainstay.control.engines.local.ports import Ports
from mainstay.control.engines.local.replica import RunningReplica
from mainstay.core.clock import SystemClock
from mainstay.edge.topology import Endpoint

HEALTH = b"Content-Type: application/health+json\r\nContent-Length: 0\r\n\r\n"
ALIVE = b"HTTP/1.1 200 OK\r\n" + HEALTH
STUCK = b"HTTP/1.1 503 No\r\n" + HEALTH
ABSENT = b"HTTP/1.1 404 No\r\n" + HEALTH
LONG_S = 30.0


@contextlib.asynccontextmanager
async def answering(answers: Sequence[bytes]) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Answer each question by the next of ``answers``; yield the port and the questions."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answers[len(asked) - 1])
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], asked


def replica(probe_port: int | None) -> RunningReplica:
    return RunningReplica(
        name="web-1",
        service="web",
        number=1,
        port=8001,
        version="dev",
        revision="abc",
        started_s=0.0,
        since_s=0.0,
        probe_port=probe_port,
    )


@pytest.mark.parametrize(
    ("answers", "has_one"),
    [
        ([ALIVE], True),
        ([STUCK, STUCK, ALIVE], True),
        ([ABSENT], False),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"], False),
    ],
    ids=["alive", "stuck for a while", "does not know the path", "somebody else"],
)
async def test_the_port_is_kept_where_probes_are_answered(
    answers: list[bytes], *, has_one: bool
) -> None:
    async with answering(answers) as (port, asked):
        one = replica(port)
        await one.find_probe_port("/health/live", LONG_S)
    assert one.probe_port == (port if has_one else None)
    assert len(asked) == len(answers)
    assert asked[0].startswith(b"GET /health/live HTTP/1.1\r\n")
    found = Endpoint(host="127.0.0.1", port=8001, version="dev", probe_port=port if has_one else 0)
    assert one.endpoint() == found


async def test_a_closed_port_is_none() -> None:
    one = replica(Ports(SystemClock()).free())
    await one.find_probe_port("/health/live", LONG_S)
    assert one.probe_port is None


async def test_where_there_is_none_nobody_is_asked() -> None:
    one = replica(None)
    await one.find_probe_port("/health/live", LONG_S)
    assert one.endpoint().probe_port == 0
