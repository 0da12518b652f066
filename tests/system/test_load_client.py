"""The load client against real sockets, most of them nasty."""

import asyncio
import contextlib
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from mainstay.control.load import (
    LoadPlan,
    LoadReport,
    Progress,
    RemoteRefused,
    run_load,
    target,
)
from mainstay.core.errors import LoadRefused

pytestmark = pytest.mark.system

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CLOSING = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def server(talk: Talk, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Run ``talk`` for each connection; yield the authority. Connections end when it returns."""
    talks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talks.add(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await talk(reader, writer)
        except asyncio.CancelledError:
            # The server ends; asyncio would log a cancelled handler as an error.
            pass
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()
            talks.discard(task)

    listening = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    async with listening:
        yield f"127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        for task in tuple(talks):
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)


async def read_request(reader: asyncio.StreamReader) -> bytes:
    return await reader.readuntil(b"\r\n\r\n")


def always(answer: bytes, *, then_close: bool = False) -> Talk:
    """Return a talk that gives the same answer to every request."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await read_request(reader)
            writer.write(answer)
            await writer.drain()
            if then_close:
                return

    return talk


def plan(authority: str, **settings: object) -> LoadPlan:
    url = f"http://{authority}/"
    base = LoadPlan(targets=(target(url),), rate_per_s=100.0, requests=20)
    return replace(base, **settings)  # type: ignore[arg-type]  # Of many types.


async def test_a_keep_alive_server_sees_few_connections() -> None:
    async with server(always(OK)) as authority:
        report = await run_load(plan(authority, rate_per_s=50.0))
    assert (report.requests, report.failed) == (20, 0)
    assert report.total.statuses == {"200": 20}
    assert 1 <= report.generator.connections < 20
    assert report.latency is not None
    assert report.total.service is not None
    assert report.latency.count == 20


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"", "reset"),
        (OK[:20], "reset"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok", "reset"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "reset"),
        (b"garbage\r\n\r\n", "protocol"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000, "protocol"),
        (CLOSING.replace(b"200", b"503") + b"Content-Length: 0\r\n\r\n", "status"),
    ],
)
async def test_bad_answers_are_failures_of_their_kind(answer: bytes, kind: str) -> None:
    async with server(always(answer, then_close=True)) as authority:
        report = await run_load(plan(authority))
    assert (report.requests, report.total.kinds) == (20, {kind: 20})
    assert set(report.examples) == {kind}


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\n\r\nuntil the end",
        b"HTTP/1.0 200 OK\r\n\r\nuntil the end",
        CLOSING + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        CLOSING + b"Content-Length: 2\r\n\r\nok",
        b"HTTP/1.1 100 Continue\r\n\r\n" + CLOSING + b"Content-Length: 2\r\n\r\nok",
        CLOSING.replace(b"200", b"204") + b"\r\n",
        CLOSING.replace(b"200", b"301") + b"Location: /\r\nContent-Length: 0\r\n\r\n",
    ],
)
async def test_good_answers_are_good_if_the_connection_ends_as_announced(answer: bytes) -> None:
    async with server(always(answer, then_close=True)) as authority:
        report = await run_load(plan(authority))
    assert (report.failed, report.generator.connections) == (0, 20)


async def test_garbage_behind_an_answer_is_told_and_the_connection_not_used_again() -> None:
    async with server(always(OK + b"GARBAGE")) as authority:
        report = await run_load(plan(authority))
    assert (report.failed, report.generator.stray) == (0, 20)
    assert "nobody had asked for" in report.notes[-1]


async def test_a_connection_closed_without_notice_fails_what_was_sent_on_it() -> None:
    """The server reads the second request and goes away: counted, and not sent again."""
    requests = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        for answer in (OK, b""):
            await read_request(reader)
            requests += 1
            writer.write(answer)
            await writer.drain()

    async with server(talk) as authority:
        report = await run_load(plan(authority, rate_per_s=20.0, requests=10))
    assert requests == 10, "every request was sent exactly once"
    assert report.total.kinds["reset"] == 10 - report.total.statuses["200"]
    assert report.failed >= 1
    assert "used 1 times" in report.examples["reset"]


async def test_slow_headers_run_into_the_timeout() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        for byte in OK:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.2)

    async with server(drip) as authority:
        report = await run_load(plan(authority, requests=5, timeout_s=0.3))
    assert report.total.kinds == {"timeout": 5}
    assert report.latency is not None
    assert report.latency.min_ms >= 299, "a timeout counts with the time that it waited"


async def test_nobody_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        authority = f"127.0.0.1:{free.getsockname()[1]}"
        report = await run_load(plan(authority))
    assert report.total.kinds == {"connect_refused": 20}
    assert report.latency is None


@pytest.mark.skipif(sys.platform != "linux", reason="others count a backlog otherwise")
async def test_a_full_backlog_is_a_connect_timeout() -> None:
    with socket.socket() as full, contextlib.ExitStack() as fillers:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        for _ in range(8):
            filler = fillers.enter_context(socket.socket())
            filler.settimeout(0)
            filler.connect_ex(address)
        report = await run_load(plan(f"127.0.0.1:{address[1]}", requests=3, connect_timeout_s=0.2))
    assert report.total.kinds == {"connect_timeout": 3}


async def test_more_than_may_be_in_flight_is_not_sent_and_counted() -> None:
    answer = asyncio.Event()

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        await answer.wait()
        writer.write(OK)
        await writer.drain()

    def seen(progress: Progress) -> None:
        if progress.requests == 20:
            answer.set()

    async with server(wait) as authority:
        report = await run_load(plan(authority, max_in_flight=5), on_progress=seen)
    assert report.total.kinds == {"not_sent": 15}
    assert report.total.statuses == {"200": 5}
    assert report.generator.in_flight_peak == 5


async def test_a_huge_body_is_given_up() -> None:
    endless = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n" + b"x" * 100_000
    async with server(always(endless)) as authority:
        report = await run_load(plan(authority, requests=3, response_bytes_max=50_000))
    assert report.total.kinds == {"protocol": 3}


async def test_bodies_arrive_whole_and_go_round() -> None:
    received: list[bytes] = []

    async def keep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await read_request(reader)
            length = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
            received.append(await reader.readexactly(length))
            writer.write(OK)
            await writer.drain()

    async with server(keep) as authority:
        post = replace(target(f"http://{authority}/", method="POST"), bodies=(b"a", b"b" * 500_000))
        report = await run_load(plan(authority, targets=(post,), requests=6))
    assert report.failed == 0
    assert sorted(len(body) for body in received) == [1, 1, 1, 500_000, 500_000, 500_000]


async def test_head_keeps_the_connection() -> None:
    head_only = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"
    async with server(always(head_only)) as authority:
        head = target(f"http://{authority}/", method="HEAD")
        report = await run_load(plan(authority, targets=(head,), rate_per_s=40.0))
    assert report.failed == 0
    assert report.generator.connections < 20


async def test_several_targets_have_figures_of_their_own() -> None:
    async with server(always(OK)) as good, server(always(b"", then_close=True)) as bad:
        targets = (target(f"http://{good}/", name="good"), target(f"http://{bad}/", name="bad"))
        report = await run_load(plan(good, targets=targets, requests=40))
    by_name = {one.name: one for one in report.targets}
    assert by_name["good"].failed == 0
    assert by_name["bad"].failed == by_name["bad"].requests > 0
    assert sum(one.requests for one in report.targets) == report.requests == 40


async def test_stopping_gives_the_report_of_what_ran() -> None:
    stop = asyncio.Event()

    def at_ten(progress: Progress) -> None:
        if progress.requests >= 10:
            stop.set()

    async with server(always(OK)) as authority:
        report = await run_load(plan(authority, requests=100_000), on_progress=at_ten, stop=stop)
    assert report.interrupted
    assert 10 <= report.requests + report.unfinished < 100_000
    assert report.good_per_s <= 130


async def test_cancelling_closes_every_connection() -> None:
    closed = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        del writer
        await read_request(reader)
        await reader.read()
        closed.set()

    async with server(hang) as authority:
        running = asyncio.ensure_future(run_load(plan(authority, requests=1)))
        await asyncio.sleep(0.1)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await asyncio.wait_for(closed.wait(), 10)


async def test_what_on_progress_raises_ends_the_test() -> None:
    class Shown(Exception):
        pass

    def show(progress: Progress) -> None:
        raise Shown(progress)

    async with server(always(OK)) as authority:
        with pytest.raises(Shown):
            await run_load(plan(authority, requests=100_000), on_progress=show)


async def test_localhost_is_found_whichever_address_listens() -> None:
    async with server(always(OK)) as authority:
        port = authority.partition(":")[2]
        report = await run_load(plan(f"localhost:{port}"))
    assert report.failed == 0


async def test_other_machines_are_refused_before_anything_is_sent() -> None:
    with pytest.raises(RemoteRefused, match="--allow-remote"):
        await run_load(plan("203.0.113.7"))
    with pytest.raises(LoadRefused, match="no address"):
        await run_load(plan("no-such-host.invalid"))


async def tls_report(authority: str) -> LoadReport:
    return await run_load(plan(authority, targets=(target(f"https://{authority}/"),), requests=5))


@pytest.fixture
def tls(tmp_path: Path) -> tuple[ssl.SSLContext, Path]:
    """Return a server's TLS for 127.0.0.1, and the certificate to trust."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate")
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context, certificate


async def test_tls_is_checked(
    tls: tuple[ssl.SSLContext, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A certificate that nobody trusts is refused; once trusted, requests pass."""
    context, certificate = tls
    async with server(always(OK), context) as authority:
        refused = await tls_report(authority)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        passed = await tls_report(authority)
    assert refused.total.kinds == {"connect_failed": 5}
    assert "certificate" in refused.examples["connect_failed"]
    assert passed.failed == 0
