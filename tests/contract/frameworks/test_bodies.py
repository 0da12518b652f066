"""Bodies in both directions: long, in parts, too long, and cut off."""

import contextlib
import hashlib
import json
import os
import socket
import struct
from collections.abc import Iterator

import pytest
from tests.contract.frameworks.apps.kit import BODY_MAX
from tests.contract.frameworks.running import Running, fresh_name
from tests.system.served import until

pytestmark = pytest.mark.system

JSON = {"Content-Type": "application/json"}
PART = 65_536


def skip_unread(one: Running, *, chunked: bool) -> None:
    if chunked and not one.case.reads_chunks:
        pytest.skip("the framework takes a body without a length for none")


def parts(count: int) -> Iterator[bytes]:
    return (b"x" * PART for _ in range(count))


def test_a_file_is_uploaded(one: Running) -> None:
    data = os.urandom(4 * 2**20)
    head = (
        b'--edge\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n'
        b"Content-Type: application/octet-stream\r\n\r\n"
    )
    form = {"Content-Type": "multipart/form-data; boundary=edge"}
    answer = one.post("/upload", head + data + b"\r\n--edge--\r\n", form)
    assert answer.status == 200
    sha256 = hashlib.sha256(data).hexdigest()
    assert answer.json == {"name": "a.bin", "length": len(data), "sha256": sha256}


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_up_to_the_bound_is_read(one: Running, *, chunked: bool) -> None:
    skip_unread(one, chunked=chunked)
    whole = BODY_MAX // PART
    answer = one.post("/length", parts(whole) if chunked else b"x" * BODY_MAX)
    assert (answer.status, answer.json["length"]) == (200, BODY_MAX)


@pytest.mark.parametrize("path", ["/length", "/item"])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_above_the_bound_is_a_413(one: Running, path: str, *, chunked: bool) -> None:
    """Whatever the framework makes of a body that raises: FastAPI would say 400."""
    skip_unread(one, chunked=chunked)
    before = one.complaints()
    with one.dialled() as connection:
        framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {BODY_MAX + 1}"
        connection.sendall(
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{framing}\r\n"
            "Content-Type: application/json\r\n\r\n".encode()
        )
        if chunked:
            # Who is refused need not read on, and may close.
            with contextlib.suppress(OSError):
                connection.sendall(b'1\r\n"\r\n' + (b"%x\r\n%b\r\n" % (PART, b"x" * PART)) * 97)
        status, document = read_answer(connection)
    assert status == 413
    assert json.loads(document)["type"].endswith("#body-too-large")
    until(one.idle, "nothing is held")
    assert one.complaints() == before


def read_answer(connection: socket.socket) -> tuple[int, bytes]:
    """Read an answer with a length, and no more: the rest may be a reset."""
    stream = connection.makefile("rb")
    status = int(stream.readline().split()[1])
    length = 0
    while (line := stream.readline().strip().lower()) != b"":
        name, _, value = line.partition(b":")
        if name == b"content-length":
            length = int(value)
    return status, stream.read(length)


def test_a_stream_leaves_as_it_is_made(one: Running) -> None:
    """The first part arrives while the second waits for a word from outside."""
    name = fresh_name()
    with one.asked(f"/gate?name={name}") as answer:
        assert answer.status == 200
        assert answer.read(5) == b"first"
        assert one.get(f"/release?name={name}").status == 200
        assert answer.read() == b"second"


def test_events_arrive_as_events(one: Running) -> None:
    answer = one.get("/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.body.count(b"data: ") == 3


def cut(connection: socket.socket) -> None:
    """End a connection as a crash does: the other side gets a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@pytest.mark.parametrize("path", ["/read", "/length", "/item"])
@pytest.mark.parametrize("framing", ["Content-Length: 1000000", "Transfer-Encoding: chunked"])
def test_a_client_that_leaves_in_the_middle_of_its_body(
    one: Running, path: str, framing: str
) -> None:
    """The app is ended or learns it; its slot is given back, and the wrapper doesn't cry."""
    skip_unread(one, chunked="chunked" in framing)
    before = one.complaints()
    with one.dialled() as connection:
        connection.sendall(
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{framing}\r\n"
            "Content-Type: application/json\r\n\r\n".encode()
        )
        connection.sendall(b"5\r\nabcde\r\n" if "chunked" in framing else b"abcde")
        # Under WSGI the beginning of a body is waited for before a place is taken.
        until(lambda: one.state()["flights"] == 1, "it is in flight")
        cut(connection)
    until(one.idle, "nothing is held")
    assert one.get("/json").status == 200
    assert one.complaints() == before


def test_a_client_that_leaves_before_the_answer(one: Running) -> None:
    before = one.complaints()
    with one.dialled() as connection:
        # Where nobody can be cancelled, the deadline ends it.
        connection.sendall(
            b"GET /slow HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Request-Timeout: 1s\r\n\r\n"
        )
        until(lambda: one.state()["in_flight"] == 1, "it is in flight")
        cut(connection)
    until(one.idle, "nothing is held")
    assert one.get("/json").status == 200
    assert one.complaints() == before


def test_a_client_that_leaves_in_the_middle_of_the_answer(one: Running) -> None:
    before, name = one.complaints(), fresh_name()
    with one.dialled() as connection:
        connection.sendall(f"GET /gate?name={name} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        received = b""
        while b"first" not in received:
            received += connection.recv(PART)
        cut(connection)
    one.get(f"/release?name={name}")
    until(one.idle, "nothing is held")
    assert one.get("/json").status == 200
    assert one.complaints() == before
