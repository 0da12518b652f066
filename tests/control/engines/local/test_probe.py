import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.control.engines.local.ports import Ports
from mainstay.control.engines.local.probe import (
    ANSWER_BYTES_MAX,
    BODY_BYTES_MAX,
    Outcome,
    listens,
    probe,
    read_answer,
    request_bytes,
    verdict,
)
from mainstay.core.clock import SystemClock

HEALTH = b"Content-Type: application/health+json\r\n"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\ncontent-type: Application/Health+JSON; charset=utf-8\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"
)
LONG_S = 30.0


@contextlib.asynccontextmanager
async def replica(
    answer: bytes, *, then_hang: bool = False
) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Serve one fixed answer on a free port; yield the port and the requests that came."""
    asked: list[bytes] = []
    release = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        if then_hang:
            await release.wait()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], asked
        release.set()


@pytest.mark.parametrize(
    ("answer", "outcome", "status", "body"),
    [
        (b"HTTP/1.1 200 OK\r\n" + HEALTH + b'Content-Length: 4\r\n\r\n"ok"', "ready", 200, '"ok"'),
        (b"HTTP/1.1 503 No\r\n" + HEALTH + b"\r\nwhy", "unready", 503, "why"),
        (b"HTTP/1.1 500 No\r\n" + HEALTH + b"\r\nwhy", "unready", 500, "why"),
        (
            CHUNKED,
            "ready",
            200,
            "abcde",
        ),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "tcp_only", 404, ""),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\nhi", "tcp_only", 200, "hi"),
        (b"-ERR unknown command\r\n", "tcp_only", None, "-ERR unknown command\r\n"),
        (b"HTTP/2 200\r\n\r\n", "tcp_only", None, "HTTP/2 200\r\n\r\n"),
        (b"", "tcp_only", None, ""),
    ],
)
async def test_every_answer_is_one_of_ours_or_is_not(
    answer: bytes, outcome: str, status: int | None, body: str
) -> None:
    async with replica(answer) as (port, asked):
        found = await probe("127.0.0.1", port, "/health/ready", LONG_S)
    assert (found.outcome.value, found.status, found.body) == (outcome, status, body)
    assert asked[0].startswith(b"GET /health/ready HTTP/1.1\r\n")
    assert b"\r\nConnection: close\r\n" in asked[0]


async def test_nobody_there_is_refused() -> None:
    found = await probe("127.0.0.1", Ports(SystemClock()).free(), "/", LONG_S)
    assert found.outcome is Outcome.REFUSED
    assert "refused" in found.body.lower()


async def test_one_who_accepts_and_says_nothing_is_hung() -> None:
    async with replica(b"", then_hang=True) as (port, _):
        assert (await probe("127.0.0.1", port, "/", 0.05)).outcome is Outcome.HUNG


async def test_a_server_that_keeps_the_connection_is_not_waited_for() -> None:
    answer = b"HTTP/1.1 200 OK\r\n" + HEALTH + b"Content-Length: 2\r\n\r\n{}"
    async with replica(answer, then_hang=True) as (port, _):
        assert (await probe("127.0.0.1", port, "/", LONG_S)).outcome is Outcome.READY


async def test_a_head_in_time_counts_even_if_its_body_never_ends() -> None:
    async with replica(b"HTTP/1.1 503 No\r\n" + HEALTH + b"\r\npart", then_hang=True) as (port, _):
        found = await probe("127.0.0.1", port, "/", 0.2)
    assert (found.outcome, found.body) == (Outcome.UNREADY, "part")


async def test_an_endless_answer_is_bounded() -> None:
    flood = b"HTTP/1.1 200 OK\r\n" + HEALTH + b"\r\n" + b"x" * (4 * ANSWER_BYTES_MAX)
    async with replica(flood) as (port, _):
        found = await probe("127.0.0.1", port, "/", LONG_S)
    assert found.outcome is Outcome.READY
    assert len(found.body) == BODY_BYTES_MAX


@given(raw=st.binary(max_size=300))
def test_any_bytes_have_a_verdict(raw: bytes) -> None:
    assert verdict(raw).outcome in {Outcome.TCP_ONLY, Outcome.READY, Outcome.UNREADY}


@given(
    head=st.sampled_from([b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 503\r\n", b"HTTP/1.1 2\r\n"]),
    headers=st.lists(
        st.sampled_from([
            HEALTH, b"Transfer-Encoding: chunked\r\n", b"Content-Length: 5\r\n",
            b"Content-Length: -1\r\n", b"Content-Length: \xb2\r\n", b":\r\n", b"x\r\n",
        ])
    ),
    body=st.binary(max_size=60) | st.sampled_from([b"-5\r\nabc", b"0x5\r\nabc", b"_1\r\n", b"5"]),
)  # fmt: skip
def test_any_mix_of_headers_and_body_has_a_verdict(
    head: bytes, headers: list[bytes], body: bytes
) -> None:
    answer = read_answer(head + b"".join(headers) + b"\r\n" + body)
    assert (answer is None) == head.startswith(b"HTTP/1.1 2\r")


@pytest.mark.parametrize("path", ["health", "/a b", "/a\r\nX: y", "/\x7f", "/ü", "/" + "a" * 3000])
def test_a_path_cannot_smuggle(path: str) -> None:
    with pytest.raises(ValueError, match="path"):
        request_bytes("127.0.0.1", 80, path)


def test_an_ipv6_host_is_bracketed() -> None:
    assert b"Host: [::1]:8080\r\n" in request_bytes("::1", 8080, "/")


async def test_who_only_knocks_says_nothing() -> None:
    """A Valkey that hears `Host:` takes it for an attack."""
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            heard.put_nowait(await reader.read())
        except ConnectionError:
            heard.put_nowait(b"")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        assert await listens("127.0.0.1", port, LONG_S)
        assert await heard.get() == b""
    assert not await listens("127.0.0.1", port, LONG_S)
