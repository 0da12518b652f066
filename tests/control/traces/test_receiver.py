"""The receiver: what it takes, what it refuses, and that nothing that is sent to it hurts it."""

import asyncio
import gzip
import json
import socket
import zlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from tests.control.traces.receiving import (
    JSON,
    World,
    answer_of,
    idle,
    in_json,
    living,
    request,
    still_works,
)

from mainstay.control.traces import connection as connections
from mainstay.control.traces import receiver as receivers
from mainstay.control.traces.door import load
from mainstay.control.traces.intake import BODY_BYTES_MAX
from mainstay.control.traces.kept import listing
from mainstay.control.traces.local import DOOR, LocalTraces
from mainstay.control.traces.receiver import SpansTrouble
from mainstay.control.traces.ring import segments
from mainstay.core.clock import SYSTEM_CLOCK
from mainstay.core.errors import EngineRefused

if TYPE_CHECKING:
    from mainstay.core.events import Event


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with living(tmp_path / "traces") as world:
        yield world


def packed(body: bytes) -> bytes:
    return gzip.compress(body, mtime=0)


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("", bytes),
        ("identity", bytes),
        ("gzip", packed),
        ("GZIP", packed),
        ("deflate", zlib.compress),
    ],
)
async def test_spans_are_taken_in_every_form_of_protobuf(
    world: World, encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    more = f"Content-Encoding: {encoding}\r\n" if encoding else ""
    assert (await world.send(pack(request("a", "b")), more=more))[::2] == (200, b"")
    assert world.names == ["a", "b"]


async def test_spans_are_taken_in_json(world: World) -> None:
    status, headers, said = await world.send(in_json("a"), f"{JSON}; charset=utf-8")
    assert (status, headers["Content-Type"], said) == (200, JSON, b"{}")
    assert world.names == ["a"]


async def test_what_was_rejected_is_counted_in_the_answer(world: World) -> None:
    made = ExportTraceServiceRequest()
    spans = made.resource_spans.add().scope_spans.add().spans
    spans.add(name="no ids")
    spans.add(trace_id=b"\1" * 16, span_id=b"\1" * 8, name="ids")
    status, _, said = await world.send(made.SerializeToString())
    answer = ExportTraceServiceResponse.FromString(said)
    assert (status, answer.partial_success.rejected_spans) == (200, 1)
    assert "ids" in answer.partial_success.error_message
    assert world.names == ["ids"]
    bad = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [{}]}]}]}).encode()
    status, _, said = await world.send(bad, JSON)
    assert (status, json.loads(said)["partialSuccess"]["rejectedSpans"]) == (200, "1")


GZIP, DEFLATE = "Content-Encoding: gzip\r\n", "Content-Encoding: deflate\r\n"
BOMB_BYTES = 50_000_000

# What is sent, made when it is needed; Any: arguments of World.send.
REFUSED: dict[str, tuple[int, Callable[[], dict[str, Any]]]] = {
    "another word": (401, lambda: {"token": "another"}),
    "no word": (401, lambda: {"token": ""}),
    "another path": (404, lambda: {"line": "POST /v1/metrics HTTP/1.1"}),
    "another method": (405, lambda: {"line": "GET /v1/traces HTTP/1.1"}),
    "text": (415, lambda: {"form": "text/plain"}),
    "no form": (415, lambda: {"form": ""}),
    "brotli": (415, lambda: {"more": "Content-Encoding: br\r\n"}),
    "a length above the bound": (413, lambda: {"length": str(BODY_BYTES_MAX + 1)}),
    "a length of many digits": (413, lambda: {"length": "9" * 15}),
    "a length below nothing": (400, lambda: {"length": "-1"}),
    "another protocol": (400, lambda: {"line": "POST /v1/traces SPDY/3"}),
    "two framings": (400, lambda: {"more": "Transfer-Encoding: chunked\r\n"}),
    "a length and no bytes": (400, lambda: {"body": b"\x0a\xff"}),
    "protobuf cut short": (400, lambda: {"body": request("a")[:-1]}),
    "JSON cut short": (400, lambda: {"body": b"{", "form": JSON}),
    "JSON that is deep": (400, lambda: {"body": b"[" * 1_000_000, "form": JSON}),
    "no gzip": (400, lambda: {"more": GZIP}),
    "gzip cut short": (400, lambda: {"body": packed(request("a"))[:-9], "more": GZIP}),
    "more than gzip": (400, lambda: {"body": packed(request("a")) + b"x", "more": GZIP}),
    "a bomb of gzip": (413, lambda: {"body": packed(bytes(BOMB_BYTES)), "more": GZIP}),
    "a bomb of deflate": (413, lambda: {"body": zlib.compress(bytes(BOMB_BYTES)), "more": DEFLATE}),
    "many headers": (431, lambda: {"more": f"X: {'y' * 999}\r\n" * 400}),
    "a long header": (431, lambda: {"more": "X: " + "y" * 600_000}),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
async def test_what_is_not_wanted_is_refused_and_nothing_is_kept(world: World, what: str) -> None:
    status, changes = REFUSED[what]
    answer = await world.send(**{"body": request("a"), **changes()})
    assert answer[0] == status
    assert world.names == []
    await still_works(world)
    assert world.told == []


async def test_a_body_that_grows_beyond_the_bound_is_cut_off(world: World) -> None:
    """Law: without a length, what comes is counted, whatever its framing."""
    reader, writer = await asyncio.open_connection("127.0.0.1", world.door.port)
    writer.write(
        b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
        b"Transfer-Encoding: chunked\r\nAuthorization: Bearer %b\r\n\r\n"
        % world.door.token.encode()
    )
    chunk = b"10000\r\n" + bytes(0x10000) + b"\r\n"
    writer.writelines([chunk] * (BODY_BYTES_MAX // 0x10000 + 1))
    assert (await answer_of(reader))[0] == 413
    assert await reader.read() == b""
    # Who goes on all the same is thrown out.
    with pytest.raises(OSError):  # noqa: PT011, PT012  Reset or broken pipe, as the system has it.
        for _ in range(1000):
            writer.write(chunk)
            await writer.drain()
    writer.close()
    await still_works(world)


async def test_a_connection_is_used_again_and_pieces_are_put_together(world: World) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", world.door.port)
    for name in ("a", "b"):
        body = in_json(name).replace(b"abab", name.encode() * 4)
        head = (
            f"POST /v1/traces?x=1 HTTP/1.1\r\nHost: x\r\nContent-Type: {JSON}\r\n"
            f"authorization: Bearer {world.door.token}\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode()
        for at in range(0, len(head + body), 37):
            writer.write((head + body)[at : at + 37])
            await writer.drain()
        assert (await answer_of(reader))[0] == 200
    writer.close()
    assert world.names == ["a", "b"]


async def test_who_asks_before_sending_is_answered(world: World) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", world.door.port)
    body = request("a")
    writer.write(
        b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
        b"Expect: 100-continue\r\nContent-Length: %d\r\nAuthorization: Bearer %b\r\n\r\n"
        % (len(body), world.door.token.encode())
    )
    assert (await answer_of(reader))[0] == 100
    writer.write(body)
    assert (await answer_of(reader))[0] == 200
    writer.close()


async def test_requests_on_one_another_s_heels_are_refused(world: World) -> None:
    body = request("a")
    two = (
        b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
        b"Content-Length: %d\r\nAuthorization: Bearer %b\r\n\r\n%b"
        % (len(body), world.door.token.encode(), body)
    ) * 2
    reader, writer = await asyncio.open_connection("127.0.0.1", world.door.port)
    writer.write(two)
    assert (await answer_of(reader))[0] == 400
    writer.close()
    await still_works(world)


async def test_senders_that_leave_in_the_middle_leave_nothing(world: World) -> None:
    for piece in (b"", b"POST", b"POST /v1/traces HTTP/1.1\r\nContent-Le", bytes(10)):
        _, writer = await asyncio.open_connection("127.0.0.1", world.door.port)
        writer.write(piece)
        writer.close()
        await writer.wait_closed()
    await still_works(world)
    await idle(world)


async def test_one_connection_too_many_is_asked_to_come_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receivers, "CONNECTIONS_MAX", 2)
    held = [await asyncio.open_connection("127.0.0.1", world.door.port) for _ in range(2)]
    # Connections are accepted in their order.
    reader, writer = await asyncio.open_connection("127.0.0.1", world.door.port)
    status, headers, _ = await answer_of(reader)
    writer.close()
    assert (status, headers["Retry-After"], headers["Connection"]) == (503, "2", "close")
    for _, writer in held:
        writer.close()
    await idle(world)
    await still_works(world)


async def test_what_is_held_is_bounded_over_all_connections(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receivers, "HELD_BYTES_MAX", 100)
    assert (await world.send(request("x" * 200)))[0] == 503
    assert world.names == []
    await still_works(world)


async def test_a_request_that_takes_too_long_is_cut_off(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Law: the bound holds from the first byte, whatever drips in meanwhile."""
    monkeypatch.setattr(connections, "REQUEST_S", 0.0)
    reader, writer = await asyncio.open_connection("127.0.0.1", world.door.port)
    writer.write(b"P")
    async with asyncio.timeout(30):
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
    writer.close()


async def test_a_full_disk_is_told_once_and_senders_come_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("mainstay.control.traces.ring.Ring.append", full)
        for _ in range(3):
            status, headers, _ = await world.send(request("a"))
            assert (status, headers["Retry-After"]) == (503, "2")
    (trouble,) = world.told
    assert isinstance(trouble, SpansTrouble)
    assert trouble.reason == "spans can't be kept: No space left on device"
    await still_works(world)


async def test_a_defect_is_seen_and_ends_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: seen.append(context.get("exception")))
    with monkeypatch.context() as patch:
        patch.setattr(receivers, "take", lambda *_: 1 // 0)
        assert (await world.send(request("a")))[0] == 500
    assert [type(one) for one in seen] == [ZeroDivisionError]
    await still_works(world)


async def test_a_daemon_that_comes_again_has_the_same_door(tmp_path: Path) -> None:
    """Law: replicas outlive daemons, so where they send to must, too."""
    async with living(tmp_path) as first:
        door = first.door
        assert (await first.send(request("a")))[0] == 200
    assert load(tmp_path / DOOR) == door
    async with living(tmp_path) as second:
        assert second.door == door
        assert (await second.send(in_json("b"), JSON))[0] == 200
        assert second.names == ["a", "b"]
        assert second.told == []


async def test_a_door_that_another_one_holds_is_left_with_its_word(tmp_path: Path) -> None:
    async with living(tmp_path) as first:
        door = first.door
    with socket.create_server(("127.0.0.1", door.port)):
        async with living(tmp_path) as second:
            assert second.door.port != door.port
            assert second.door.token != door.token
            (trouble,) = second.told
            assert isinstance(trouble, SpansTrouble)
            assert "can't be received" in trouble.reason
            await still_works(second)


async def test_where_nobody_can_listen_that_is_told_and_nothing_else_happens(
    tmp_path: Path,
) -> None:
    told: list[Event] = []

    def none() -> int:
        raise EngineRefused("no free port")

    traces = LocalTraces(tmp_path, free_port=none, clock=SYSTEM_CLOCK, emit=told.append)
    await traces.start()
    await traces.stop()
    assert traces.door is None
    assert [type(one) for one in told] == [SpansTrouble]


async def test_what_was_taken_before_the_end_is_kept(tmp_path: Path) -> None:
    async with living(tmp_path) as world:
        answers = await asyncio.gather(*(world.send(request(f"n{n}")) for n in range(20)))
    assert {status for status, _, _ in answers} == {200}
    assert len(segments(tmp_path)) == 1
    assert sum(one.spans for one in listing(tmp_path).summaries) == 20
