import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.errors import EdgeUnavailable
from mainstay.edge.running.admin import Admin, AdminAnswerBroken, AdminSocketGone, Answer, decode


def chunked(parts: list[bytes]) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts if part) + b"0\r\n\r\n"


@given(status=st.integers(100, 999), parts=st.lists(st.binary(max_size=50)))
def test_both_forms_of_a_body_are_read(status: int, parts: list[bytes]) -> None:
    body = b"".join(parts)
    first = b"HTTP/1.1 %d Reason\r\n" % status
    whole = first + b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    pieces = first + b"transfer-encoding: chunked\r\nx: y\r\n\r\n" + chunked(parts)
    open_ended = first + b"\r\n" + body
    for raw in (whole, pieces, open_ended):
        assert decode(raw) == Answer(status=status, body=body)


@given(parts=st.lists(st.binary(min_size=1, max_size=50), min_size=1), data=st.data())
def test_an_answer_that_is_cut_short_is_never_taken_for_a_whole_one(
    parts: list[bytes], data: st.DataObject
) -> None:
    body = b"".join(parts)
    whole = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)
    pieces = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunked(parts)
    for raw in (whole, pieces.removesuffix(b"0\r\n\r\n")):
        cut = data.draw(st.integers(0, len(raw) - 1))
        with pytest.raises(AdminAnswerBroken):
            decode(raw[:cut] if raw is whole else raw[: max(cut, 1)])


@given(raw=st.binary())
def test_nonsense_is_an_answer_or_a_clear_error(raw: bytes) -> None:
    for junk in (raw, b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + raw):
        with suppress(AdminAnswerBroken):
            assert 0 <= decode(junk).status <= 999


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def served(socket: Path, handler: Handler) -> AsyncIterator[None]:
    """Serve on ``socket``, and leave only when every exchange is over."""
    idle = asyncio.Event()

    async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            await handler(reader, writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        idle.set()

    server = await asyncio.start_unix_server(exchange, str(socket))
    yield
    await idle.wait()
    server.close()


async def test_a_socket_that_nobody_serves_is_unavailable(tmp_path: Path) -> None:
    """A socket that is not there tells nothing of Envoy; one that refuses does."""
    with pytest.raises(AdminSocketGone, match="admin socket is gone"):
        await Admin(socket=tmp_path / "none.sock").get("/ready")
    left = tmp_path / "left.sock"
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(left))
    with pytest.raises(EdgeUnavailable, match="admin socket does not answer") as refused:
        await Admin(socket=left).get("/ready")
    assert not isinstance(refused.value, AdminSocketGone)


async def test_silence_is_unavailable_after_the_bound(tmp_path: Path) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with served(tmp_path / "s", silent):
        with pytest.raises(EdgeUnavailable, match=r"did not answer within 0\.05 s"):
            await Admin(socket=tmp_path / "s", timeout_s=0.05).get("/ready")


async def test_an_answer_without_end_is_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mainstay.edge.running.admin.RESPONSE_BYTES_MAX", 100_000)

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(1000):
            writer.write(b"x" * 10_000)
            await writer.drain()

    async with served(tmp_path / "s", endless):
        with pytest.raises(AdminAnswerBroken, match="longer than 100000 bytes"):
            await Admin(socket=tmp_path / "s").get("/stats")


async def test_a_post_asks_with_post(tmp_path: Path) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0]
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(line), line))

    async with served(tmp_path / "s", echo):
        answer = await Admin(socket=tmp_path / "s").post("/quitquitquit")
    assert answer == Answer(status=200, body=b"POST /quitquitquit HTTP/1.1")
