"""A receiver to send to, and what is sent."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.ports import free_port

from mainstay.control.traces.door import Door
from mainstay.control.traces.kept import listing
from mainstay.control.traces.local import LocalTraces
from mainstay.core.clock import SYSTEM_CLOCK

if TYPE_CHECKING:
    from mainstay.core.events import Event

PROTOBUF, JSON = "application/x-protobuf", "application/json"


class World:
    """A receiver, what it kept, and what it told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.told: list[Event] = []
        self.traces = LocalTraces(
            folder, free_port=free_port, clock=SYSTEM_CLOCK, emit=self.told.append
        )

    @property
    def door(self) -> Door:
        assert self.traces.door is not None
        return self.traces.door

    @property
    def names(self) -> list[str]:
        return sorted(one.name for one in listing(self.folder).summaries)

    async def send(
        self,
        body: bytes,
        form: str = PROTOBUF,
        *,
        line: str = "POST /v1/traces HTTP/1.1",
        token: str | None = None,
        length: str | None = None,
        more: str = "",
    ) -> tuple[int, dict[str, str], bytes]:
        """Send one request on a connection of its own; return status, headers, body."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.door.port)
        head = (
            f"{line}\r\nHost: x\r\nContent-Type: {form}\r\n"
            f"Authorization: Bearer {self.door.token if token is None else token}\r\n"
            f"{more}Content-Length: {len(body) if length is None else length}\r\n\r\n"
        )
        try:
            writer.write(head.encode("latin-1") + body)
            return await answer_of(reader)
        finally:
            writer.close()


async def answer_of(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    """Return one answer: status, headers, body."""
    async with asyncio.timeout(30):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii")
        first, *lines = head.splitlines()
        headers = dict(line.split(": ", 1) for line in lines if line)
        body = await reader.readexactly(int(headers.get("Content-Length", "0")))
    return int(first.split()[1]), headers, body


def request(*names: str) -> bytes:
    """Return a request with a trace for each name."""
    made = ExportTraceServiceRequest()
    spans = made.resource_spans.add().scope_spans.add().spans
    for number, name in enumerate(names, start=1):
        spans.add(trace_id=bytes((number,)) * 16, span_id=b"\1" * 8, name=name)
    body: bytes = made.SerializeToString()
    return body


def in_json(name: str) -> bytes:
    span = {"traceId": "ab" * 16, "spanId": "cd" * 8, "name": name, "endTimeUnixNano": "7"}
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode()


@asynccontextmanager
async def living(folder: Path) -> AsyncIterator[World]:
    world = World(folder)
    folder.mkdir(mode=0o700, exist_ok=True)
    await world.traces.start()
    try:
        yield world
    finally:
        await world.traces.stop()


async def still_works(world: World) -> None:
    assert (await world.send(request("after")))[0] == 200
    assert "after" in world.names


async def idle(world: World) -> None:
    """Wait until nobody is connected; then nothing is held either."""
    receiver = world.traces._receiver
    assert receiver is not None
    async with asyncio.timeout(30):
        while receiver._connections:  # noqa: ASYNC110  Nobody tells a test.
            await asyncio.sleep(0.01)
    assert receiver._held_bytes == 0
