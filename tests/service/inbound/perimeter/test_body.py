"""The bound of a body: counted by what arrives, in both shells alike."""

import contextlib
import io
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.errors import MainstayError
from mainstay.service.inbound.perimeter.body import (
    BodyTooLarge,
    BoundedInput,
    BoundedReceive,
    too_large,
)

CHUNKS = st.lists(st.binary(max_size=8), max_size=6)


class Server:
    """A server's ``receive``: messages in order, then a disconnect for ever."""

    def __init__(self, chunks: list[bytes]) -> None:
        self.messages: list[dict[str, Any]] = [
            {"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks
        ]
        self.asked = 0

    async def receive(self) -> dict[str, Any]:
        self.asked += 1
        return self.messages.pop(0) if self.messages else {"type": "http.disconnect"}


@given(CHUNKS, st.integers(0, 20))
async def test_receive_passes_what_fits_and_raises_at_the_first_byte_above(
    chunks: list[bytes], body_max: int
) -> None:
    server = Server(chunks)
    bounded = BoundedReceive(server.receive, body_max)
    passed = b""
    fits = sum(map(len, chunks)) <= body_max
    with contextlib.nullcontext() if fits else pytest.raises(BodyTooLarge):
        while (message := await bounded())["type"] == "http.request":
            passed += message["body"]
    assert passed == b"".join(chunks) if fits else b"".join(chunks).startswith(passed)
    assert len(passed) <= body_max
    assert bounded.exceeded is not fits


async def test_receive_asks_no_more_once_the_body_was_too_long() -> None:
    """FastAPI swallows what its body raises: the next call has to fail as well."""
    server = Server([b"12345", b"6"])
    bounded = BoundedReceive(server.receive, 4)
    for _ in range(3):
        with pytest.raises(BodyTooLarge):
            await bounded()
    assert server.asked == 1


async def test_receive_passes_messages_without_a_body() -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    assert await BoundedReceive(receive, 0)() == {"type": "http.request"}


class Stingy(io.BytesIO):
    """A server's input that gives less than was asked for, and tells how much was asked."""

    def __init__(self, data: bytes, step: int) -> None:
        super().__init__(data)
        self.step = step
        self.asked_max = 0

    def read(self, size: int | None = -1, /) -> bytes:
        assert size is not None
        assert size >= 0, "an unbounded read fills the memory"
        self.asked_max = max(self.asked_max, size)
        return super().read(min(size, self.step))


WAYS: dict[str, Callable[[BoundedInput], bytes]] = {
    "read": lambda source: source.read(),
    "read None": lambda source: source.read(None),
    "read in parts": lambda source: b"".join(iter(lambda: source.read(3), b"")),
    "lines": b"".join,
    "readlines": lambda source: b"".join(source.readlines()),
    "readlines None": lambda source: b"".join(source.readlines(None)),
    "readline in parts": lambda source: b"".join(iter(lambda: source.readline(2), b"")),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
@given(data=st.binary(max_size=30), body_max=st.integers(0, 40), step=st.integers(1, 40))
def test_input_gives_all_that_fits_and_never_reads_far_above(
    way: Callable[[BoundedInput], bytes], data: bytes, body_max: int, step: int
) -> None:
    stream = Stingy(data, step)
    bounded = BoundedInput(stream, body_max)
    if len(data) <= body_max:
        assert way(bounded) == data
        assert not bounded.exceeded
    else:
        with pytest.raises(BodyTooLarge) as caught:
            way(bounded)
        assert caught.value.refusal.kind == "body-too-large"
        assert bounded.exceeded
        with pytest.raises(BodyTooLarge):
            bounded.read(1)
    assert stream.asked_max <= body_max + 1
    assert stream.tell() <= body_max + 1


def test_lines_and_hints_are_those_of_a_file() -> None:
    data = b"one\ntwo\n\nlast"
    assert list(BoundedInput(io.BytesIO(data), 100)) == data.splitlines(keepends=True)
    assert BoundedInput(io.BytesIO(data), 100).readlines(5) == [b"one\n", b"two\n"]
    assert BoundedInput(io.BytesIO(data), 100).read(0) == b""


def test_the_refusal_says_the_bound_and_ends_the_connection_where_it_can() -> None:
    refusal = too_large(16 * 2**20, close=True)
    assert "16MiB" in refusal.detail
    assert refusal.headers == ((b"connection", b"close"),)
    assert too_large(16 * 2**20, close=False).headers == ()


def test_the_error_is_one_of_ours() -> None:
    assert issubclass(BodyTooLarge, MainstayError)
