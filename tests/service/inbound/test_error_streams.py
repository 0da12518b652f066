"""Errors that the app streams: what is kept back to be put in other words, and what is not."""

import asyncio
import gzip
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from mainstay.service.service import Service
from mainstay.spec.inbound import Inbound
from mainstay.spec.perimeter import Errors

MakeService = Callable[..., Service]
Headers = list[tuple[bytes, bytes]]

EVENTS = (b"content-type", b"text/event-stream; charset=utf-8")
TEXT = (b"content-type", b"text/plain")


def made(make_service: MakeService, app: str) -> Service:
    return make_service(inbound=Inbound(errors=Errors(app=app)))


async def begun_by(service: Service, status: int, headers: Headers, *messages: Any) -> list[Any]:
    """Return what a client has got while the app has sent these, and goes on."""
    sent: list[Any] = []
    said = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": headers})
        for message in messages:
            await send(message)
        said.set()
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request"}

    scope = {
        "type": "http", "method": "GET", "path": "/", "http_version": "1.1", "headers": [],
        "client": ("192.0.2.7", 5),
    }  # fmt: skip
    task = asyncio.ensure_future(service.asgi(app)(scope, receive, send))
    await said.wait()
    task.cancel()
    got = list(sent)
    await asyncio.gather(task, return_exceptions=True)
    return got


def part(body: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.response.body", "body": body, "more_body": more}


@pytest.mark.parametrize(
    ("app", "status"), [("problem", 404), ("problem", 503), ("problem", 500), ("as_is", 500)]
)
async def test_a_streamed_error_is_not_kept_from_its_reader(
    make_service: MakeService, app: str, status: int
) -> None:
    sent = await begun_by(made(make_service, app), status, [TEXT], part(b"one "), part(b"two "))
    assert [message.get("status") or message["body"] for message in sent] == [
        status, b"one ", b"two ",
    ]  # fmt: skip


@pytest.mark.parametrize("app", ["problem", "as_is"])
async def test_a_stream_of_events_begins_before_its_first_event(
    make_service: MakeService, app: str
) -> None:
    sent = await begun_by(made(make_service, app), 500, [EVENTS])
    assert [message["type"] for message in sent] == ["http.response.start"]


async def test_an_error_in_parts_that_has_a_length_is_put_in_other_words(
    make_service: MakeService,
) -> None:
    """Middlewares cut whole answers into parts, and leave their length."""
    headers = [TEXT, (b"Content-Length", b"8")]
    service = made(make_service, "problem")
    assert not await begun_by(service, 404, headers, part(b"one "))
    sent = await begun_by(service, 404, headers, part(b"one "), part(b"two.", more=False))
    assert json.loads(sent[1]["body"])["detail"] == "one two."


@pytest.mark.parametrize("status", [404, 500])
async def test_a_file_as_an_error_comes_after_its_head(
    make_service: MakeService, status: int
) -> None:
    file = {"type": "http.response.pathsend", "path": "/nowhere"}
    sent = await begun_by(made(make_service, "problem"), status, [TEXT], file)
    assert [message["type"] for message in sent] == [
        "http.response.start", "http.response.pathsend",
    ]  # fmt: skip


async def test_a_compressed_error_keeps_its_detail(make_service: MakeService) -> None:
    body = gzip.compress(b'{"detail":"No such bike."}')
    kind = (b"content-type", b"application/json")
    head = [kind, (b"content-encoding", b"gzip")]
    service = made(make_service, "problem")
    sent = await begun_by(service, 404, head, part(body, more=False))
    assert json.loads(sent[1]["body"])["detail"] == "No such bike."
    assert b"content-encoding" not in dict(sent[0]["headers"])
    answer = thread_answer(service, "application/json", [body], ("Content-Encoding", "gzip"))
    assert json.loads(b"".join(answer))["detail"] == "No such bike."


class Parts:
    """A body that tells how much of it was asked for."""

    def __init__(self, *parts: bytes) -> None:
        self.asked = 0
        self._parts = parts

    def __iter__(self) -> Iterator[bytes]:
        for one in self._parts:
            self.asked += 1
            yield one


def thread_answer(
    service: Service, kind: str, body: Iterable[bytes], *headers: tuple[str, str]
) -> Iterator[bytes]:
    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("404 Not Found", [("Content-Type", kind), *headers])
        return body

    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "REMOTE_ADDR": "192.0.2.7"}
    return iter(service.wsgi(app)(environ, lambda *_: None))


def test_in_threads_a_stream_of_events_is_not_read_ahead(make_service: MakeService) -> None:
    body = Parts(b"data: 1\n\n", b"data: 2\n\n")
    answer = thread_answer(made(make_service, "problem"), "text/event-stream", body)
    assert body.asked == 0
    assert next(answer) == b"data: 1\n\n"
    assert body.asked == 1


def test_in_threads_a_stream_goes_on_from_its_second_part(make_service: MakeService) -> None:
    body = Parts(b"", b"one ", b"two ", b"three ")
    answer = thread_answer(made(make_service, "problem"), "text/plain", body)
    assert body.asked == 3
    assert b"".join(answer) == b"one two three "


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (Parts(b"No such bike."), ()),
        ([b"No such ", b"bike."], ()),
        (Parts(b"No such ", b"bike."), (("Content-Length", "13"),)),
    ],
)
def test_in_threads_a_whole_error_is_put_in_other_words(
    make_service: MakeService, body: Iterable[bytes], headers: tuple[tuple[str, str], ...]
) -> None:
    answer = thread_answer(made(make_service, "problem"), "text/plain", body, *headers)
    assert json.loads(b"".join(answer))["detail"] == "No such bike."
