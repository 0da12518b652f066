"""A real HTTP server that misbehaves on demand, in a thread and a loop of its own."""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from ssl import SSLContext
from typing import Self

from mainstay.core.clock import SYSTEM_CLOCK

START_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One request as it arrived.

    Attributes:
        connection: Number of its connection, from 1.
        nth: 1 for the first request of its connection.
    """

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int
    nth: int
    at_s: float


@dataclass(slots=True, kw_only=True)
class Peer:
    """The client's side of one connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    number: int

    def reset(self) -> None:
        """Close with RST."""
        self.writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        self.writer.transport.abort()


Act = Callable[[Seen, Peer], Awaitable[None]]
"""What the server does with one request."""


def answer(status: int = 200, body: bytes = b"ok", *, after_s: float = 0.0, **headers: str) -> Act:
    """Answer; ``Retry_After="5"`` is a header."""

    async def act(seen: Seen, peer: Peer) -> None:
        await asyncio.sleep(after_s)
        peer.writer.write(_head(status, len(body), headers))
        peer.writer.write(b"" if seen.method == "HEAD" else body)
        await peer.writer.drain()

    return act


async def reset(seen: Seen, peer: Peer) -> None:
    """Take the request and break the connection."""
    peer.reset()


async def hang(seen: Seen, peer: Peer) -> None:
    """Take the request and say nothing until the client goes away."""
    await peer.reader.read()


async def stale(seen: Seen, peer: Peer) -> None:
    """Answer the first request of a connection, and close it at the second without a word."""
    if seen.nth > 1:
        peer.writer.close()
    else:
        await answer()(seen, peer)


def dripping_headers(every_s: float) -> Act:
    """Send a byte of the headers every so often, without end."""

    async def act(seen: Seen, peer: Peer) -> None:
        peer.writer.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not peer.reader.at_eof():
            peer.writer.write(b"x")
            await peer.writer.drain()
            await asyncio.sleep(every_s)

    return act


def dripping_body(every_s: float, *, length: int | None = 50_000) -> Act:
    """Send a byte of the body every so often; ``length`` None: in chunks, without a length."""

    async def act(seen: Seen, peer: Peer) -> None:
        peer.writer.write(_head(200, length, {}))
        while not peer.reader.at_eof():
            peer.writer.write(b"x" if length is not None else b"1\r\nx\r\n")
            await peer.writer.drain()
            await asyncio.sleep(every_s)

    return act


def chunks(*parts: bytes) -> Act:
    """Answer in chunks, without a length."""

    async def act(seen: Seen, peer: Peer) -> None:
        peer.writer.write(_head(200, None, {}))
        for part in parts:
            peer.writer.write(b"%x\r\n%b\r\n" % (len(part), part))
            await peer.writer.drain()
        peer.writer.write(b"0\r\n\r\n")

    return act


def large(parts: int, part: bytes) -> Act:
    """Answer with a length that no client reads ahead."""

    async def act(seen: Seen, peer: Peer) -> None:
        peer.writer.write(_head(200, parts * len(part), {}))
        for _ in range(parts):
            peer.writer.write(part)
            await peer.writer.drain()

    return act


async def broken_body(seen: Seen, peer: Peer) -> None:
    """Promise ten bytes, send three, and break the connection."""
    peer.writer.write(_head(200, 10, {}) + b"abc")
    await peer.writer.drain()
    peer.writer.close()


def _head(status: int, length: int | None, headers: dict[str, str]) -> bytes:
    body = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    lines = [f"HTTP/1.1 {status} Something", body]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@dataclass(slots=True)
class Server:
    """``with`` starts and ends it.

    Attributes:
        seen: Every request, in the order of their arrival.
        in_flight_max: The most requests that were worked on at once.
        open: Connections that are open now.
        open_max: The most that were.
    """

    seen: list[Seen] = field(default_factory=list)
    in_flight_max: int = 0
    open: int = 0
    open_max: int = 0
    port: int = 0
    tls: SSLContext | None = None
    _connections: int = 0
    _in_flight: int = 0
    _script: dict[str, list[Act]] = field(default_factory=dict)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _thread: threading.Thread | None = None
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"{'http' if self.tls is None else 'https'}://127.0.0.1:{self.port}"

    def on(self, path: str, *acts: Act) -> None:
        """Do ``acts`` with the requests to a path, one after the other; the last one repeats."""
        self._script[path] = list(acts)

    def count(self, path: str) -> int:
        """Return how many requests to a path came."""
        return sum(one.path == path for one in self.seen)

    def __enter__(self) -> Self:
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), daemon=True)
        self._thread.start()
        assert started.wait(START_S)
        return self

    def __exit__(self, *exc: object) -> None:
        self.die()

    def die(self) -> None:
        """End, with all connections; a second time is no error."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join(START_S)
            assert not thread.is_alive()

    def _run(self, started: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=512, ssl=self.tls)
        )
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        self._loop.run_forever()
        self._end(server)
        self._loop.close()

    def _end(self, server: asyncio.Server) -> None:
        # First nobody comes in, then those who are on their way arrive, then all are sent away:
        # a server that is closed while somebody arrives leaves that one's socket open.
        for listening in server.sockets:
            self._loop.remove_reader(listening.fileno())
        self._loop.run_until_complete(asyncio.sleep(0.01))
        for task in self._tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*self._tasks, return_exceptions=True))
        # Those that never came to a conversation are known to the loop alone.
        for transport in list(getattr(self._loop, "_transports").values()):  # noqa: B009
            transport.abort()
        server.close()
        self._loop.run_until_complete(asyncio.sleep(0.01))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.open += 1
        self._connections += 1
        self.open_max = max(self.open, self.open_max)
        peer = Peer(reader=reader, writer=writer, number=self._connections)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await self._converse(peer)
        finally:
            self.open -= 1
            self._tasks.discard(task)
            # Not close: that would first send what a client may never read.
            writer.transport.abort()

    async def _converse(self, peer: Peer) -> None:
        nth = 0
        while not peer.writer.is_closing():
            nth += 1
            seen = await self._request(peer, nth)
            self.seen.append(seen)
            self._in_flight += 1
            self.in_flight_max = max(self._in_flight, self.in_flight_max)
            acts = self._script.get(seen.path) or [answer(404, b"nobody said")]
            try:
                await (acts.pop(0) if len(acts) > 1 else acts[0])(seen, peer)
            finally:
                self._in_flight -= 1

    async def _request(self, peer: Peer, nth: int) -> Seen:
        head = (await peer.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, *fields = head.strip().split("\r\n")
        method, path, _ = line.split(" ")
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (one.partition(":") for one in fields)
        }
        if headers.get("transfer-encoding") == "chunked":
            body = b"".join([part async for part in _chunks_of(peer.reader)])
        else:
            body = await peer.reader.readexactly(int(headers.get("content-length", "0")))
        return Seen(
            method=method, path=path, headers=headers, body=body, connection=peer.number, nth=nth,
            at_s=SYSTEM_CLOCK.monotonic_s(),
        )  # fmt: skip


async def _chunks_of(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while size := int(await reader.readline(), 16):
        yield await reader.readexactly(size)
        await reader.readline()
    await reader.readline()


@contextlib.contextmanager
def refusing() -> Iterator[str]:
    """Yield the URL of a port on which nobody listens, kept free of others."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


@contextlib.contextmanager
def deaf() -> Iterator[str]:
    """Yield the URL of a port that takes connections and reads nothing of what is sent."""
    with socket.create_server(("127.0.0.1", 0), backlog=16) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@contextlib.contextmanager
def unreachable() -> Iterator[str]:
    """Yield the URL of a port whose queue is full: connections to it are never made."""
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):
            one = stack.enter_context(socket.socket())
            one.settimeout(0.0)
            with contextlib.suppress(BlockingIOError):
                one.connect(full.getsockname())
        yield f"http://127.0.0.1:{full.getsockname()[1]}"
