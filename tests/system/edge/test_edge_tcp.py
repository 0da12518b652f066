"""A service that speaks no HTTP: its bytes pass as they are, and a connection has one replica."""

import asyncio
import contextlib

import pytest
from tests.system.edge.world import BOUND_S, Backend, World, raw, until

from mainstay.spec.edge import Edge

pytestmark = pytest.mark.system

NO_HTTP = b"\x00\xff*1\r\n$4\r\nPING\r\nHost: \n\n"


class Echo(Backend):
    """Says its name, then every byte again."""

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        writer.write(self.name.encode() + b"\n")
        # A health check connects and leaves without a word.
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(1024):
                writer.write(data)
        writer.close()


async def echo(world: World, name: str) -> Echo:
    backend = Echo(name)
    await backend.start()
    world.backends.append(backend)
    return backend


async def said(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(BOUND_S):
        return await reader.readline()


async def test_bytes_pass_as_they_are_by_both_listeners(world: World) -> None:
    world.declare(Edge(protocol="valkey"))
    await world.up(await echo(world, "one"))
    for port in (world.port, world.internal_port):
        async with raw(port) as (reader, writer):
            assert await said(reader) == b"one\n"
            writer.write(NO_HTTP)
            async with asyncio.timeout(BOUND_S):
                assert await reader.readexactly(len(NO_HTTP)) == NO_HTTP


async def test_a_connection_ends_with_its_replica_and_later_ones_find_another(
    world: World,
) -> None:
    world.declare(Edge(protocol="tcp"))
    one, other = await echo(world, "one"), await echo(world, "other")
    await world.up(one, other)
    async with raw(world.port) as (reader, _):
        first = (await said(reader)).decode().strip()
        gone, left = (one, other) if first == "one" else (other, one)
        await gone.stop()
        assert await said(reader) == b""

    async def found() -> bool:
        # Nobody tells the edge. It may try the one that is gone until that has failed five times.
        async with raw(world.port) as (reader, _):
            name = (await said(reader)).decode().strip()
            assert name in {left.name, ""}
            return name == left.name

    for _ in range(10):
        await until(found, "a connection finds the replica that is left")


async def test_without_a_replica_a_connection_is_closed_at_once(world: World) -> None:
    world.declare(Edge(protocol="tcp"))
    await world.edge.start(world.resources([]))
    async with raw(world.port) as (reader, _):
        assert await said(reader) == b""


async def test_connections_are_counted_as_its_traffic_and_replicas_are_known(
    world: World,
) -> None:
    world.declare(Edge(protocol="tcp"))
    await world.up(await echo(world, "one"))
    for _ in range(3):
        async with raw(world.port) as (reader, _):
            await said(reader)

    async def counted() -> bool:
        (web,) = (await world.edge.stats()).services
        assert [one.passing for one in web.replicas] == [True]
        return web.requests == 3

    await until(counted, "three connections are counted")
