"""Clients that send too much, too slowly or too often hurt only themselves."""

import asyncio
import contextlib
import json

import httpx
import pytest
from tests.system.edge.world import BOUND_S, Backend, World, after, raw, until

from mainstay.spec.edge import Edge, EdgeLimits

pytestmark = pytest.mark.system

MIB = 2**20


async def limited(world: World, limits: EdgeLimits) -> Backend:
    world.declare(Edge(limits=limits))
    backend = await world.backend("here")
    await world.up()
    return backend


async def answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, object]]:
    """Read a response and the problem document in it."""
    async with asyncio.timeout(BOUND_S):
        head = await reader.readuntil(b"\r\n\r\n")
        length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
        body = await reader.readexactly(int(length))
    assert b"content-type: application/problem+json" in head
    problem: dict[str, object] = json.loads(body)
    return int(head.split(b" ")[1]), problem


async def test_slow_clients_are_cut_and_hurt_nobody(world: World) -> None:
    """A hundred clients that never finish their headers, as slow-loris does."""
    await limited(world, EdgeLimits(header_timeout_s=1.0))

    async def slow() -> int:
        async with raw(world.port) as (reader, writer):
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n")
            reading = asyncio.create_task(answer(reader))
            while not reading.done():
                writer.write(b"x-more: 1\r\n")
                await asyncio.sleep(0.1)
            return (await reading)[0]

    clients = [asyncio.create_task(slow()) for _ in range(100)]
    assert set(await world.names(50)) == {"here"}, "others are served meanwhile"
    assert set(await asyncio.gather(*clients)) == {408}


async def test_a_body_that_stops_moving_is_cut(world: World) -> None:
    backend = await limited(world, EdgeLimits(stream_idle_timeout_s=0.5))
    async with raw(world.port) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf")
        status, problem = await answer(reader)
    assert status == 408
    assert problem["type"] == "urn:mainstay:edge:request-timeout"
    assert backend.seen == []


async def test_an_idle_connection_is_closed(world: World) -> None:
    await limited(world, EdgeLimits(idle_timeout_s=0.5))
    async with raw(world.port) as (reader, _), asyncio.timeout(BOUND_S):
        assert await reader.read() == b""


async def test_headers_without_end_are_refused_and_hurt_nobody(world: World) -> None:
    """The client would send a gigabyte; the edge stops reading at the declared bound."""
    await limited(world, EdgeLimits(header_bytes_max=60 * 1024))
    chunk = b"a" * 65536
    sent = 0
    async with raw(world.port) as (_, writer):
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\nx-huge: ")
        # The response is lost when the edge closes before this side has stopped to send.
        with contextlib.suppress(ConnectionError):
            while sent < 1024 * MIB:
                writer.write(chunk)
                await writer.drain()
                sent += len(chunk)
        assert set(await world.names(20)) == {"here"}
    await until(lambda: '"status":431' in world.log.read_text(), "it is logged as 431")
    # What fits in the buffers of two sockets, and not much more, has left this side.
    assert sent < 64 * MIB


async def test_headers_above_the_bound_are_answered_431(world: World) -> None:
    await limited(world, EdgeLimits(header_bytes_max=20 * 1024))
    assert (await world.get(**{"x-long": "a" * 15_000})).status_code == 200
    response = await world.get(**{"x-long": "a" * 25_000})
    assert response.status_code == 431
    assert response.json()["type"] == "urn:mainstay:edge:headers-too-large"


@pytest.mark.parametrize(("count", "status"), [(90, 200), (101, 431)])
async def test_the_number_of_headers_is_bounded(world: World, count: int, status: int) -> None:
    await limited(world, EdgeLimits(headers_max=100))
    response = await world.get(**{f"x-{n}": "1" for n in range(count - 5)} | {"x-last": "1"})
    assert response.status_code == status


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_above_the_bound_is_refused(world: World, chunked: bool) -> None:  # noqa: FBT001  A case.
    backend = await limited(world, EdgeLimits(body_bytes_max=10_000))

    async def chunks() -> object:
        for _ in range(20):
            yield b"x" * 1000

    content = chunks() if chunked else b"x" * 20_000
    response = await world.client.post(world.url, content=content)  # type: ignore[arg-type]  # An async iterator of bytes, as httpx takes it.
    assert response.status_code == 413
    assert response.json()["type"] == "urn:mainstay:edge:body-too-large"
    assert backend.seen == [], "the app sees nothing of it"


@pytest.mark.parametrize("size", [0, 1, 10_000])
async def test_a_body_within_the_bound_arrives(world: World, size: int) -> None:
    backend = await limited(world, EdgeLimits(body_bytes_max=10_000))
    response = await world.client.post(world.url, content=b"x" * size)
    assert response.status_code == 200
    assert backend.seen[0].body == b"x" * size


async def test_without_a_bound_long_bodies_stream_through(world: World) -> None:
    backend = await limited(world, EdgeLimits())
    body = b"x" * (8 * MIB)
    assert (await world.client.post(world.url, content=body)).status_code == 200
    assert len(backend.seen[0].body) == len(body)


async def test_connections_above_the_bound_are_closed(world: World) -> None:
    await limited(world, EdgeLimits(connections=5))
    open_ones = [await asyncio.open_connection("127.0.0.1", world.port) for _ in range(5)]
    # A request on each, so that the edge has surely counted all of them.
    for reader, writer in open_ones:
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert (await reader.readuntil(b"here")).startswith(b"HTTP/1.1 200")
    async with raw(world.port) as (reader, writer), asyncio.timeout(BOUND_S):
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
    reader, writer = open_ones[0]
    writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    assert (await reader.readuntil(b"here")).startswith(b"HTTP/1.1 200")
    for _, writer in open_ones:
        writer.close()
    await until(lambda: _serves(world), "room again once they are gone")


async def test_all_listeners_together_have_a_bound_too(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Below the open files that the system allows: out of files, Envoy could accept nobody."""
    monkeypatch.setattr("mainstay.edge.running.runtime.connections_max", lambda: 4)
    await limited(world, EdgeLimits())
    ports = [world.port, world.internal_port] * 2
    open_ones = [await asyncio.open_connection("127.0.0.1", port) for port in ports]
    for reader, writer in open_ones:
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert (await reader.readuntil(b"here")).startswith(b"HTTP/1.1 200")
    async with raw(world.port) as (reader, _), asyncio.timeout(BOUND_S):
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
    for _, writer in open_ones:
        writer.close()


async def _serves(world: World) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return (await world.get()).status_code == 200
    return False


async def test_requests_above_the_bound_are_answered_503_at_once(world: World) -> None:
    backend = await limited(world, EdgeLimits(requests=4))
    backend.answer = after(3.0, "here")
    responses = await asyncio.gather(*(world.client.post(world.url) for _ in range(20)))
    statuses = [response.status_code for response in responses]
    refused = [response for response in responses if response.status_code == 503]
    assert statuses.count(200) == 4, statuses
    assert len(refused) == 16
    assert all(one.elapsed.total_seconds() < 2.5 for one in refused), "they did not wait"
    assert {one.json()["type"] for one in refused} == {"urn:mainstay:edge:overloaded"}
    assert {one.headers["retry-after"] for one in refused} == {"1"}


async def test_an_edge_short_of_memory_refuses_requests_and_lives(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mainstay.edge.envoy.bootstrap.HEAP_BYTES_MAX", 1_000_000)
    backend = await limited(world, EdgeLimits())

    async def refused() -> bool:
        return (await world.get()).status_code == 503

    await until(refused, "requests are refused")
    seen = len(backend.seen)
    response = await world.get()
    assert response.json()["type"] == "urn:mainstay:edge:overloaded"
    assert len(backend.seen) == seen
    assert (await world.edge.stats()).services, "and it still answers whoever looks after it"


@pytest.mark.parametrize(
    "request_",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTQ/1.1\r\nhost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost:x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nbad header: 1\r\n\r\n",
        b"\r\n" * 1000,
    ],
)
async def test_malformed_requests_reach_no_app(world: World, request_: bytes) -> None:
    backend = await limited(world, EdgeLimits(header_timeout_s=0.5))
    async with raw(world.port) as (reader, writer), asyncio.timeout(BOUND_S):
        writer.write(request_)
        response = b""
        with contextlib.suppress(ConnectionResetError):
            response = await reader.read()
    assert not response or response.split(b" ")[1] in (b"400", b"408", b"501"), response
    assert backend.seen == []
    assert set(await world.names(3)) == {"here"}
