"""Calls that keep the interpreter do what the system's own do, and say why they can't."""

import os
import socket
from collections.abc import Iterator

import pytest

from mainstay.core import at_once


@pytest.fixture(params=["kept", "given away"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once as most programs have it, and once where C has no such functions to call."""
    if request.param == "given away":
        for name in ("_recv", "_send", "_write", "_close", "_accept4"):
            monkeypatch.setattr(at_once, name, None)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as one:
        one.setblocking(False)  # noqa: FBT003  The standard library's.
        yield one


pytestmark = pytest.mark.usefixtures("way")


def test_who_comes_is_accepted_and_no_child_inherits_it(listener: socket.socket) -> None:
    with pytest.raises(BlockingIOError):
        at_once.accept(listener)
    with socket.create_connection(listener.getsockname()) as near:
        far = at_once.accept(listener)
        assert not os.get_inheritable(far.fileno())
        assert far.getpeername() == near.getsockname()
        assert (far.family, far.type) == (listener.family, listener.type)
        far.close()


def test_what_comes_and_goes() -> None:
    near, far = socket.socketpair()
    with near, far:
        with pytest.raises(BlockingIOError):
            at_once.receive(near, 100)
        assert at_once.send(far, b"a\0b") == 3
        assert at_once.receive(near, 2) == b"a\0"
        assert at_once.receive(near, 100) == b"b"
        assert 0 < at_once.send(far, b"x" * 10_000_000) < 10_000_000
        with pytest.raises(BlockingIOError):
            at_once.send(far, b"x")
        at_once.close(far)
        assert far.fileno() == -1
        got = b""
        while piece := at_once.receive(near, 1_000_000):
            got += piece
        assert set(got) == set(b"x")
        with pytest.raises(BrokenPipeError):
            at_once.send(near, b"x")


def test_lines_are_written() -> None:
    reader, number = os.pipe()
    os.set_blocking(number, False)
    write = at_once.writer(number)
    assert write(b"a\0b\n") == 4
    assert os.read(reader, 100) == b"a\0b\n"
    assert 0 < write(b"x" * 10_000_000) < 10_000_000
    with pytest.raises(BlockingIOError):
        write(b"x")
    os.close(reader)
    with pytest.raises(BrokenPipeError):
        write(b"x")
    os.close(number)
