"""Servers that lie, drip, flood and fall silent: each call has its bound, and none does harm."""

import asyncio
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.contract.stores.servers import until
from tests.contract.valkey.askers import WAITS_S
from tests.contract.valkey.conftest import Connect
from tests.contract.valkey.fake import Fake, Talk, greet, wait_for_the_end

from mainstay.core.clock import SYSTEM_CLOCK, pause
from mainstay.core.errors import StoreUnavailable
from mainstay.state.valkey import Valkey
from mainstay.state.valkey.line import UNTAKEN_BYTES_MAX
from mainstay.state.valkey.words import packed


def answering(body: bytes) -> Talk:
    """Greet, then answer the first call in this way and fall silent."""

    def talk(stream: socket.socket) -> None:
        greet(stream)
        stream.recv(65_536)
        stream.sendall(body)
        wait_for_the_end(stream)

    return talk


def dripping(stream: socket.socket) -> None:
    """Answer a byte at a time, each well within the bound, and never come to an end."""
    greet(stream)
    stream.recv(65_536)
    stream.sendall(b"$100000\r\n")
    while True:
        stream.sendall(b"x")
        pause(0.005)


def flooding(stream: socket.socket) -> None:
    """Send without an end what is no whole answer."""
    greet(stream)
    stream.recv(65_536)
    stream.sendall(b"$1000000000\r\n")
    while True:
        stream.sendall(b"x" * 1_000_000)


HOSTILE: dict[str, Talk] = {
    "silence": wait_for_the_end,
    "no RESP in the greeting": lambda stream: stream.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "no RESP": answering(b"?what\r\n"),
    "a bad length": answering(b"$-17\r\n"),
    "nested without an end": answering(b"*1\r\n" * 100_000),
    "more elements than there are": answering(b"*9999999999999\r\n"),
    "half an answer": answering(b"$5\r\nab"),
    "drips": dripping,
    "floods": flooding,
    "hangs up": lambda stream: None,
    "hangs up after the greeting": greet,
    "no room": lambda stream: stream.sendall(b"-ERR max number of clients reached\r\n"),
}


@pytest.mark.parametrize("kind", list(HOSTILE))
def test_each_call_has_its_bound(connect: Connect, kind: str) -> None:
    with Fake(HOSTILE[kind]) as fake:
        asker = connect(fake.url)
        for _ in range(5):
            began_s = SYSTEM_CLOCK.monotonic_s()
            with pytest.raises(StoreUnavailable):
                asker.ask("GET", "a")
            assert SYSTEM_CLOCK.monotonic_s() - began_s < WAITS_S
        asker.close()


@pytest.mark.parametrize("kind", ["hangs up", "hangs up after the greeting", "no room"])
def test_who_hangs_up_is_not_called_upon_without_a_pause(connect: Connect, kind: str) -> None:
    with Fake(HOSTILE[kind]) as fake:
        asker = connect(fake.url)
        ends_s = SYSTEM_CLOCK.monotonic_s() + 1.0
        while SYSTEM_CLOCK.monotonic_s() < ends_s:
            with pytest.raises(StoreUnavailable):
                asker.ask("GET", "a")
            pause(0.005)
        # Pauses of 50 ms that double: about six in a second; without them, hundreds.
        assert 2 <= fake.connections <= 15
        asker.close()


def test_an_answer_that_nobody_asked_for_is_nobodys(connect: Connect) -> None:
    """Two answers to one call: the second must not become the next caller's."""

    def talk(stream: socket.socket) -> None:
        greet(stream)
        stream.recv(65_536)
        stream.sendall(b"+mine\r\n+theirs\r\n")
        wait_for_the_end(stream)

    with Fake(talk) as fake:
        asker = connect(fake.url)
        heard = set()
        for _ in range(20):
            try:
                heard.add(asker.ask("GET", "a"))
            except StoreUnavailable:
                continue
        assert b"theirs" not in heard
        asker.close()


async def test_what_a_server_does_not_take_is_bounded() -> None:
    """Calls are sent away before more than a megabyte or so waits to be sent."""

    def talk(stream: socket.socket) -> None:
        greet(stream)
        ended.wait(60)

    with Fake(talk) as fake:
        ended = fake.ended
        valkey = Valkey(fake.url, timeout_s=30.0)
        body = b"x" * 100_000
        calls: list[asyncio.Task[Any]] = []
        for _ in range(500):
            calls.append(asyncio.ensure_future(valkey.acall("SET", "a", body)))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            if any(one.done() for one in calls):
                break
        refused = [one for one in calls if one.done()]
        with pytest.raises(StoreUnavailable, match="take"):
            await refused[0]
        assert len(calls) * len(body) < UNTAKEN_BYTES_MAX + 50_000_000
        fake.ended.set()
        await valkey.aclose()
        await asyncio.gather(*calls, return_exceptions=True)


async def test_what_is_kept_for_a_server_that_does_not_greet_is_bounded() -> None:
    """A call waits for the connection; a thousand calls of a megabyte must not."""
    with Fake(wait_for_the_end) as fake:
        valkey = Valkey(fake.url, timeout_s=30.0)
        body = b"x" * 100_000
        calls = [asyncio.ensure_future(valkey.acall("SET", "a", body)) for _ in range(50)]
        done, kept = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        assert len(kept) == UNTAKEN_BYTES_MAX // len(body) + 1
        for one in done:
            with pytest.raises(StoreUnavailable, match="take"):
                await one
        await valkey.aclose()
        await asyncio.gather(*calls, return_exceptions=True)


def test_a_long_command_that_nobody_takes_has_its_bound(connect: Connect) -> None:
    """The kernel takes some of it; the rest waits for a server that does not read."""

    def talk(stream: socket.socket) -> None:
        greet(stream)
        wait_for_the_end_unread(fake)

    with Fake(talk) as fake:
        asker = connect(fake.url)
        began_s = SYSTEM_CLOCK.monotonic_s()
        with pytest.raises(StoreUnavailable):
            asker.ask("SET", "a", b"x" * 50_000_000)
        assert SYSTEM_CLOCK.monotonic_s() - began_s < WAITS_S
        asker.close()


def wait_for_the_end_unread(fake: Fake) -> None:
    fake.ended.wait(60)


def test_a_look_up_that_hangs_holds_nobody_up(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system's resolver has no bound: it is asked where no caller waits."""
    ended = threading.Event()
    real = socket.getaddrinfo

    # Any: the system's own signature.
    def slow(host: Any, *rest: Any, **named: Any) -> Any:
        if host in {"slow.test", b"slow.test"}:
            ended.wait(60)
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return real(host, *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    asker = connect("redis://slow.test:6379")
    try:
        for _ in range(3):
            began_s = SYSTEM_CLOCK.monotonic_s()
            with pytest.raises(StoreUnavailable):
                asker.ask("GET", "a")
            assert SYSTEM_CLOCK.monotonic_s() - began_s < WAITS_S
    finally:
        ended.set()
        asker.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl makes the certificate: install it (apt-get install openssl)")
    folder = tmp_path_factory.mktemp("tls")
    made, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
            "-keyout", str(key), "-out", str(made), "-subj", "/CN=localhost",
            "-addext", "subjectAltName=DNS:localhost",
        ],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    return made, key


def echoing(stream: socket.socket) -> None:
    greet(stream)
    while stream.recv(65_536):
        stream.sendall(b"+secret\r\n")


@pytest.fixture
def secure(certificate: tuple[Path, Path]) -> Callable[[], Fake]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return lambda: Fake(echoing, tls=context)


def test_tls(connect: Connect, secure: Callable[[], Fake], certificate: tuple[Path, Path]) -> None:
    with secure() as fake:
        trust = ssl.create_default_context(cafile=str(certificate[0]))
        asker = connect(f"rediss://localhost:{fake.port}", tls=trust, timeout_s=30.0)
        assert [asker.ask("GET", "a") for _ in range(20)] == [b"secret"] * 20
        asker.close()


def test_much_over_tls(connect: Connect, certificate: tuple[Path, Path]) -> None:
    """More than a record and than what a socket takes, both ways, and again on the same wire."""
    body = b"x" * 3_000_000
    command_bytes = len(packed(("SET", "a", body)))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)

    def talk(stream: socket.socket) -> None:
        greet(stream)
        for _ in range(2):
            heard_bytes = 0
            while heard_bytes < command_bytes:
                heard_bytes += len(stream.recv(65_536))
            stream.sendall(b"$%d\r\n%b\r\n" % (len(body), body))
        wait_for_the_end(stream)

    with Fake(talk, tls=context) as fake:
        trust = ssl.create_default_context(cafile=str(certificate[0]))
        asker = connect(f"rediss://localhost:{fake.port}", tls=trust, timeout_s=30.0)
        for _ in range(2):
            assert asker.ask("SET", "a", body) == body
        asker.close()


def test_a_certificate_that_nobody_vouches_for_is_refused(
    connect: Connect, secure: Callable[[], Fake], certificate: tuple[Path, Path]
) -> None:
    with secure() as fake:
        unknown = connect(f"rediss://localhost:{fake.port}", timeout_s=30.0)
        with pytest.raises(StoreUnavailable):
            unknown.ask("GET", "a")
        trust = ssl.create_default_context(cafile=str(certificate[0]))
        # It is vouched for, but has another name.
        other = connect(f"rediss://127.0.0.1:{fake.port}", tls=trust, timeout_s=30.0)
        with pytest.raises(StoreUnavailable):
            other.ask("GET", "a")
        unknown.close()
        other.close()


def test_the_end_of_a_client_ends_its_thread(connect: Connect) -> None:
    def ours() -> list[threading.Thread]:
        return [one for one in threading.enumerate() if one.name == "mainstay-valkey"]

    before = set(ours())
    asker = connect("redis://127.0.0.1:1")
    with pytest.raises(StoreUnavailable):
        asker.ask("GET", "a")
    asker.close()
    until(lambda: before.issuperset(ours()))
