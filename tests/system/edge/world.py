"""A real Envoy before small HTTP backends, all in one event loop."""

import asyncio
import contextlib
import time  # noqa: TID251  Tests of real processes measure real time.
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx
from tests.ports import free_port

from mainstay.core.clock import SystemClock
from mainstay.core.events import Event
from mainstay.edge import EdgeRuntime, Endpoint, Resources, Topology, compile_edge
from mainstay.spec.declaration import Declaration, Member, System
from mainstay.spec.edge import Edge

BOUND_S = 30.0
"""Until a condition that should hold soon must hold, on a machine that has other work."""


async def until(
    condition: Callable[[], Awaitable[bool] | bool], what: str, bound_s: float = BOUND_S
) -> None:
    """Poll until ``condition``; fail with ``what`` after the bound."""
    end_s = time.monotonic() + bound_s
    while True:
        found = condition()
        if found if isinstance(found, bool) else await found:
            return
        assert time.monotonic() < end_s, f"not within {bound_s:g} s: {what}"
        await asyncio.sleep(0.02)


class Spawned:
    """A plain child process."""

    def __init__(self, child: asyncio.subprocess.Process) -> None:
        self._child = child
        self.pid = child.pid

    async def wait(self) -> None:
        await self._child.wait()

    def signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._child.send_signal(number)


@dataclass
class Spawner:
    """A launcher of plain child processes that all write one log."""

    log: Path
    spawned: list[Spawned] = field(default_factory=list)

    async def launch(self, name: str, argv: Sequence[str]) -> Spawned:
        with self.log.open("ab") as log:
            child = await asyncio.create_subprocess_exec(
                *argv, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log
            )
        self.spawned.append(Spawned(child))
        return self.spawned[-1]

    async def end_all(self) -> None:
        for one in self.spawned:
            one.signal(9)
            await one.wait()


@dataclass
class Request:
    """What reached a backend."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Answer = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]


async def reply(
    writer: asyncio.StreamWriter, body: bytes, status: int = 200, headers: str = ""
) -> None:
    head = f"HTTP/1.1 {status} Said\r\ncontent-length: {len(body)}\r\n{headers}\r\n"
    writer.write(head.encode() + body)
    await writer.drain()


class Backend:
    """A replica: answers with its name, or however ``answer`` says.

    Health checks are not counted in ``seen``, and answered by ``health``, an HTTP status; 0 hangs.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.port = 0
        self.health = 200
        self.seen: list[Request] = []
        self.checks = 0
        self.answer: Answer = self.say_name
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def say_name(self, request: Request, writer: asyncio.StreamWriter) -> None:
        await reply(writer, self.name.encode())

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close the port and every connection, as a killed process does."""
        if self._server is not None:
            self._server.close()
            for writer in tuple(self._writers):
                writer.transport.abort()
            await asyncio.sleep(0)
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while True:
                await self._exchange(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.rstrip().split("\r\n")
        method, path, _ = first.split(" ", 2)
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }
        body = await _body(reader, headers)
        if path == "/health/ready":
            self.checks += 1
            if self.health == 0:
                await asyncio.sleep(60)
            await reply(writer, b"", self.health)
            return
        request = Request(method, path, headers, body)
        self.seen.append(request)
        await self.answer(request, writer)


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding") != "chunked":
        return await reader.readexactly(int(headers.get("content-length", "0")))
    body = b""
    while size := int(await reader.readline(), 16):
        body += await reader.readexactly(size)
        await reader.readline()
    await reader.readline()
    return body


async def hang(request: Request, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


async def reset(request: Request, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    raise ConnectionResetError


def saying(status: int, headers: str = "") -> Answer:
    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        await reply(writer, b"no", status, headers)

    return answer


def after(delay_s: float, name: str) -> Answer:
    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(delay_s)
        await reply(writer, name.encode())

    return answer


@dataclass
class World:
    """One edge and one service ``web`` behind it.

    ``spread`` makes the topology of the backends that are given, by version.
    """

    folder: Path
    log: Path
    port: int = field(default_factory=free_port)
    internal_port: int = field(default_factory=free_port)
    events: list[Event] = field(default_factory=list)
    backends: list[Backend] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.spawner = Spawner(self.log)
        self.edge = self.another()
        self.declaration = Declaration(service="web", app="a:b", edge=Edge(port=self.port))
        self.client = httpx.AsyncClient(
            trust_env=False, timeout=BOUND_S, limits=httpx.Limits(max_connections=500)
        )

    def another(self) -> EdgeRuntime:
        """A further runtime over the same folder, as of a daemon that comes back."""
        return EdgeRuntime(
            self.folder,
            launcher=self.spawner,
            clock=SystemClock(),
            on_event=self.events.append,
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def declare(self, edge: Edge, declaration: Declaration | None = None) -> None:
        """Declare the service's edge; its port stays the world's."""
        base = declaration or self.declaration
        self.declaration = replace(base, edge=replace(edge, port=self.port))

    async def backend(self, name: str = "") -> Backend:
        backend = Backend(name or f"backend{len(self.backends)}")
        await backend.start()
        self.backends.append(backend)
        return backend

    def resources(
        self,
        backends: Sequence[Backend],
        *,
        version: Callable[[Backend], str] = lambda _: "dev",
        weight: Callable[[Backend], int] = lambda _: 1,
        probe_port: Callable[[Backend], int] = lambda _: 0,
        weights: tuple[tuple[str, int], ...] | None = None,
    ) -> Resources:
        member = Member(declaration=self.declaration, folder=self.folder)
        endpoints = tuple(
            Endpoint(
                host="127.0.0.1",
                port=one.port,
                version=version(one),
                weight=weight(one),
                probe_port=probe_port(one),
            )
            for one in backends
        )
        topology = Topology(
            endpoints=(("web", endpoints),),
            weights=() if weights is None else (("web", weights),),
            internal_ports=(("web", self.internal_port),),
            checks=(("web", "http"),),
        )
        system = System(name="test", root=self.folder, members=(member,))
        return compile_edge(system, topology)

    async def up(self, *backends: Backend) -> None:
        await self.edge.start(self.resources(backends or self.backends))

    async def get(self, path: str = "/", **more: str) -> httpx.Response:
        return await self.client.get(self.url + path, headers=more)

    async def names(self, count: int, path: str = "/", **headers: str) -> Counter[str]:
        """How often each backend answered ``count`` requests; every answer must be a 200."""
        found: Counter[str] = Counter()
        for _ in range(count):
            response = await self.get(path, **headers)
            assert response.status_code == 200, response.text
            found[response.text] += 1
        return found

    async def close(self) -> None:
        await self.client.aclose()
        await self.edge.leave()
        await self.spawner.end_all()
        for backend in self.backends:
            await backend.stop()


@contextlib.asynccontextmanager
async def raw(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A bare connection, for what no well-behaved client would send."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
