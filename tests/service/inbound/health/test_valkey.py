"""Asking Valkey for a PONG, of servers that say anything. A real one: tests/system."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.service.inbound.health.document import Finding, Status
from mainstay.service.inbound.health.reach import Target
from mainstay.service.inbound.health.valkey import Login, command, login_of, ping

NOBODY = Login(user="", password="")


@contextmanager
def server(answer: Callable[[socket.socket], object]) -> Iterator[Target]:
    """Serve one client as ``answer`` does."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            client, _ = listening.accept()
            with client:
                answer(client)

        thread = threading.Thread(target=serve)
        thread.start()
        yield Target(scheme="valkey", hosts=(listening.getsockname(),), path=None)
        thread.join(60)


def says(*answers: bytes) -> Callable[[socket.socket], object]:
    def answer(client: socket.socket) -> None:
        for one in answers:
            client.recv(4096)
            client.sendall(one)

    return answer


@pytest.mark.parametrize(
    ("answer", "output"),
    [
        (b"+PONG\r\n", None),
        (b"-NOAUTH Authentication required.\r\n", "NOAUTH"),
        (b"-LOADING Valkey is loading the dataset\r\n", "LOADING"),
        (b"-MISCONF secret:key is bad\r\n", "MISCONF"),
        (b"HTTP/1.1 400 Bad Request\r\n", "no answer of Valkey's"),
        (b"-\xff\xfe secret\r\n", "no answer of Valkey's"),
        (b"", "no answer of Valkey's"),
    ],
)
def test_what_an_answer_means(answer: bytes, output: str | None) -> None:
    with server(says(answer)) as target:
        found = ping(target, NOBODY, 30)
    assert found == Finding(status=Status.FAIL if output else Status.PASS, output=output)


def test_an_answer_without_an_end_is_not_read_to_it() -> None:
    with server(says(b"+" * 100_000)) as target:
        assert ping(target, NOBODY, 30).output == "no answer of Valkey's"


def test_one_who_says_nothing_is_given_up() -> None:
    opened = threading.Event()
    with server(lambda _: opened.wait(60)) as target:
        assert ping(target, NOBODY, 0.05) == Finding(status=Status.FAIL, output="TimeoutError")
        opened.set()


def test_a_password_that_is_refused_is_told_by_its_code() -> None:
    with server(says(b"-WRONGPASS invalid username-password pair\r\n")) as target:
        assert ping(target, login_of("valkey://u:p@h"), 30).output == "WRONGPASS"


def test_who_a_url_says_to_be() -> None:
    login = login_of("redis://shop:p%40s%2Fs@h:1/0")
    assert (login.user, login.password) == ("shop", "p@s/s")
    assert "p@s" not in repr(login)
    assert login_of("redis://:only@h").user == ""
    assert login_of("redis://[::1") == NOBODY


@given(st.lists(st.text(max_size=20), min_size=1, max_size=4))
def test_a_command_says_its_lengths_in_bytes(words: list[str]) -> None:
    raw = command(*words)
    read, rest = [], raw.partition(b"\r\n")[2]
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size[1:])
        read.append(rest[:length].decode())
        rest = rest[length + 2 :]
    assert read == words
