"""Both shells, driven by hand: one suite for what they share, then what each has of its own."""

import asyncio
import io
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from mainstay.core.trace import current_trace
from mainstay.service.service import Service
from mainstay.spec.health import Health
from mainstay.spec.inbound import Inbound

if TYPE_CHECKING:
    from tests.service.conftest import Lines

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
MakeService = Callable[..., Service]


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Seen:
    """What the handler of either app saw."""

    trace: Any = None
    in_flight: int = -1


class Kind:
    """One of the two shells around an app that does as the path says."""

    name = ""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.seen = Seen()
        self.shell = self.wrap()

    def wrap(self) -> Any:
        raise NotImplementedError

    def ask(self, path: str, *, method: str = "GET", **headers: str) -> Answer:
        raise NotImplementedError

    def look(self) -> None:
        self.seen.trace = current_trace()
        self.seen.in_flight = len(self.service._inbound.drain.flights)


class Asgi(Kind):
    name = "asgi"

    def wrap(self) -> Any:
        return self.service.asgi(self.app)

    async def app(self, scope: Any, receive: Any, send: Any) -> None:
        self.look()
        assert scope["mainstay.exchange"].trace is current_trace()
        if scope["path"] == "/raises":
            raise LookupError("secret detail")
        await send({"type": "http.response.start", "status": 201, "headers": []})
        await send({"type": "http.response.body", "body": b"abc", "more_body": True})
        if scope["path"] == "/breaks":
            raise LookupError("secret detail")
        await send({"type": "http.response.body", "body": b"de"})

    def ask(self, path: str, *, method: str = "GET", **headers: str) -> Answer:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            return {"type": "http.request", "body": b""}

        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "http_version": "1.1",
            "client": ("192.0.2.7", 5),
            "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
        }
        asyncio.run(self.shell(scope, receive, send))
        assert current_trace() is None
        head = {k.decode(): v.decode() for k, v in sent[0]["headers"]}
        return Answer(sent[0]["status"], head, b"".join(m.get("body", b"") for m in sent[1:]))


class Wsgi(Kind):
    name = "wsgi"

    def wrap(self) -> Any:
        return self.service.wsgi(self.app)

    def app(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        self.look()
        assert environ["mainstay.exchange"].trace is current_trace()
        if environ["PATH_INFO"] == "/raises":
            raise LookupError("secret detail")
        start_response("201 Created", [])
        return self.parts(breaks=environ["PATH_INFO"] == "/breaks")

    def parts(self, *, breaks: bool) -> Iterator[bytes]:
        yield b"abc"
        self.look()
        if breaks:
            raise LookupError("secret detail")
        yield b"de"

    def ask(self, path: str, *, method: str = "GET", **headers: str) -> Answer:
        heads: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(status: str, head: Any, exc_info: Any = None) -> None:
            heads.append((status, head))

        environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "REMOTE_ADDR": "192.0.2.7"}
        environ.update({f"HTTP_{key.upper()}": value for key, value in headers.items()})
        result = self.shell(environ, start_response)
        try:
            body = b"".join(result)
        finally:
            if hasattr(result, "close"):
                result.close()
            assert current_trace() is None
        status, head = heads[-1]
        return Answer(int(status[:3]), {k.lower(): v for k, v in head}, body)


@pytest.fixture(params=[Asgi, Wsgi], ids=["asgi", "wsgi"])
def kind(request: pytest.FixtureRequest, make_service: MakeService) -> Kind:
    made = request.param(make_service())
    assert isinstance(made, Kind)
    return made


def test_an_answer_passes_and_its_line_is_written(kind: Kind, lines: "Lines") -> None:
    answer = kind.ask("/orders", method="POST")
    assert (answer.status, answer.body) == (201, b"abcde")
    (line,) = lines.parsed
    said = {key: line[key] for key in ("method", "path", "status", "bytes", "client", "replica")}
    assert said == {
        "method": "POST",
        "path": "/orders",
        "status": 201,
        "bytes": 5,
        "client": "192.0.2.7",
        "replica": "shop-1",
    }
    assert "error" not in line


def test_a_trace_is_taken_over_and_seen_by_the_handler(kind: Kind, lines: "Lines") -> None:
    kind.ask("/orders", traceparent=TRACEPARENT)
    trace = kind.seen.trace
    assert f"{trace.trace_id}-{trace.parent_id}" == TRACEPARENT[3:-3]
    assert (lines.parsed[0]["trace_id"], lines.parsed[0]["span_id"]) == trace[:2]


def test_a_broken_trace_is_begun_anew(kind: Kind) -> None:
    kind.ask("/orders", traceparent=TRACEPARENT.replace("00-4", "ff-4"))
    assert kind.seen.trace.trace_id != TRACEPARENT[3:35]
    assert kind.seen.trace.parent_id is None


def test_an_app_that_raises_is_answered_with_a_problem(
    kind: Kind, lines: "Lines", capsys: pytest.CaptureFixture[str]
) -> None:
    """The client learns the trace id and nothing else; the traceback is told once, with it."""
    answer = kind.ask("/raises")
    problem = json.loads(answer.body)
    assert answer.status == problem["status"] == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["content-length"]) == len(answer.body)
    assert b"secret" not in answer.body
    assert b"Lookup" not in answer.body
    (line,) = lines.parsed
    assert (line["status"], line["error"], line["level"]) == (500, "LookupError", "error")
    said = capsys.readouterr().err
    assert said.count("Traceback") == 1
    assert said.count("LookupError: secret detail") == 1
    assert line["trace_id"] == problem["trace_id"]
    assert line["trace_id"] in said


def test_an_answer_that_breaks_off_is_the_servers_to_tear(
    kind: Kind, lines: "Lines", capsys: pytest.CaptureFixture[str]
) -> None:
    """The error goes on, so that the client sees a broken answer; the server tells of it."""
    with pytest.raises(LookupError):
        kind.ask("/breaks")
    (line,) = lines.parsed
    assert (line["status"], line["bytes"], line["error"]) == (201, 3, "LookupError")
    assert capsys.readouterr().err == ""
    assert not kind.service._inbound.drain.flights


def test_a_request_is_in_flight_until_its_body_ends(kind: Kind) -> None:
    kind.ask("/orders")
    assert kind.seen.in_flight == 1
    assert not kind.service._inbound.drain.flights


def test_a_drain_closes_connections_and_turns_unready(kind: Kind) -> None:
    kind.service._inbound.drain.started = True
    assert kind.ask("/health/ready").status == 200
    assert "connection" not in kind.ask("/orders").headers
    kind.service.drain()
    kind.service.drain()
    ready = kind.ask("/health/ready")
    assert (ready.status, json.loads(ready.body)["output"]) == (503, "draining")
    assert kind.ask("/orders").headers["connection"] == "close"
    assert [kind.ask(f"/health/{probe}").status for probe in ("live", "startup")] == [200, 200]
    assert kind.ask("/health").status == 503


def test_probes_are_neither_logged_nor_counted(kind: Kind, lines: "Lines") -> None:
    for path in ("/health", "/health/live", "/health/ready", "/health/startup"):
        answer = kind.ask(path)
        assert answer.status == 200
        assert answer.headers["content-type"] == "application/health+json"
        assert answer.headers["cache-control"] == "no-store"
        assert int(answer.headers["content-length"]) == len(answer.body)
    assert lines.raw == []
    assert kind.seen.in_flight == -1


def test_probes_by_other_methods(kind: Kind, lines: "Lines") -> None:
    head = kind.ask("/health/live", method="HEAD")
    assert (head.status, head.body) == (200, b"")
    assert int(head.headers["content-length"]) > 0
    post = kind.ask("/health/live", method="POST")
    assert (post.status, post.headers["allow"]) == (405, "GET, HEAD")
    document = json.loads(post.body)
    assert post.headers["content-type"] == "application/problem+json"
    assert document["type"].endswith("#method-not-allowed")
    assert document["request_id"] == post.headers["x-request-id"]
    # It asks for no health, so it is told like any other that was refused.
    (line,) = lines.parsed
    assert (line["status"], line["trace_id"]) == (405, document["trace_id"])


def test_a_critical_check_takes_the_service_out_and_another_does_not(kind: Kind) -> None:
    @kind.service.check("queue", critical=False)
    def queue() -> bool:
        return False

    ready = kind.ask("/health/ready")
    whole = json.loads(kind.ask("/health").body)
    assert (ready.status, whole["status"]) == (200, "warn")
    assert list(whole["checks"]) == ["disk", "memory", "queue"]

    @kind.service.check("ledger")
    async def ledger() -> None:
        raise ConnectionError("postgresql://u:p@h")

    ready = kind.ask("/health/ready")
    assert ready.status == 503
    assert json.loads(ready.body)["checks"]["ledger"][0]["output"] == "ConnectionError"
    assert kind.ask("/health/live").status == 200


def test_health_can_live_elsewhere_and_the_line_can_be_off(
    make_service: MakeService, lines: "Lines"
) -> None:
    for made in (Asgi, Wsgi):
        service = make_service(inbound=Inbound(health=Health(path="/ops/h/"), access_log=False))
        kind = made(service)
        assert kind.ask("/ops/h/live").status == 200
        assert kind.ask("/health/live").status == 201
    assert lines.raw == []


def test_what_the_shell_lacks_is_the_apps(kind: Kind) -> None:
    class App:
        title = "shop"

        def __call__(self) -> None:
            """Never called here."""

    shell: Any = getattr(kind.service, kind.name)(App())
    assert shell.title == "shop"
    with pytest.raises(AttributeError, match="titel"):
        _ = shell.titel


# --- ASGI alone ---


async def _silent(message: Any) -> None:
    del message


async def _nothing() -> Any:
    return {"type": "http.disconnect"}


def scope_of(kind: str, **changed: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "type": kind,
        "path": "/",
        "http_version": "1.1",
        "headers": [],
        "client": None,
    }
    return {**given, **({"method": "GET"} if kind == "http" else {}), **changed}


async def test_asgi_a_client_that_leaves_is_no_answer(
    make_service: MakeService, lines: "Lines"
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()

    await make_service().asgi(app)(scope_of("http"), _nothing, _silent)
    assert (lines.parsed[0]["status"], lines.parsed[0]["client"]) == (499, None)


async def test_asgi_cancellation_passes_and_is_written_down(
    make_service: MakeService, lines: "Lines"
) -> None:
    service = make_service()
    begun = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        begun.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(service.asgi(app)(scope_of("http"), _nothing, _silent))
    await begun.wait()
    assert len(service._inbound.drain.flights) == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (lines.parsed[0]["status"], lines.parsed[0]["error"]) == (499, "CancelledError")
    assert not service._inbound.drain.flights


async def test_asgi_an_app_that_raises_after_its_answer_is_whole(
    make_service: MakeService, capsys: pytest.CaptureFixture[str]
) -> None:
    """A background task of Starlette's, say: the client has its answer, the log the error."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body"})
        raise LookupError

    await make_service().asgi(app)(scope_of("http"), _nothing, _silent)
    assert capsys.readouterr().err.count("Traceback") == 1


async def test_asgi_websockets_pass_and_count_until_they_end(
    make_service: MakeService, lines: "Lines"
) -> None:
    service = make_service()
    counted: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        counted.append(len(service._inbound.drain.flights))

    await service.asgi(app)(scope_of("websocket"), _nothing, _silent)
    assert counted == [1]
    assert not service._inbound.drain.flights
    assert (lines.parsed[0]["method"], lines.parsed[0]["status"]) == ("WEBSOCKET", 101)


async def test_asgi_http_2_knows_no_connection_header(make_service: MakeService) -> None:
    service = make_service()
    service.drain()
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    await service.asgi(app)(scope_of("http", http_version="2"), _nothing, send)
    assert b"connection" not in dict(sent[0]["headers"])


async def test_asgi_two_traceparents_are_none(make_service: MakeService) -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(current_trace())

    twice = [(b"traceparent", TRACEPARENT.encode())] * 2
    await make_service().asgi(app)(scope_of("http", headers=twice), _nothing, _silent)
    assert seen[0].parent_id is None


async def test_asgi_unknown_scopes_pass(make_service: MakeService) -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    await make_service().asgi(app)({"type": "telepathy"}, _nothing, _silent)
    assert seen == ["telepathy"]


# --- WSGI alone ---


class Recorder:
    """A start_response that remembers."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def __call__(self, status: str, headers: Any, exc_info: Any = None) -> None:
        self.said.append(status)


def environ(path: str = "/", **more: Any) -> dict[str, Any]:
    return {"REQUEST_METHOD": "GET", "PATH_INFO": path, **more}


def test_wsgi_close_is_called_and_ends_the_flight(
    make_service: MakeService, lines: "Lines"
) -> None:
    """A client that leaves in the middle of a stream: the server closes it, unexhausted."""
    service = make_service()
    closed: list[bool] = []

    class Stream:
        def __iter__(self) -> Iterator[bytes]:
            yield b"abc"
            yield b"never asked for"

        def close(self) -> None:
            closed.append(current_trace() is not None)

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return Stream()

    body: Any = service.wsgi(app)(environ(), Recorder())
    assert next(iter(body)) == b"abc"
    assert len(service._inbound.drain.flights) == 1
    body.close()
    body.close()
    assert closed == [True, True]
    assert not service._inbound.drain.flights
    assert [line["bytes"] for line in lines.parsed] == [3]


def test_wsgi_a_list_passes_as_it_is(make_service: MakeService, lines: "Lines") -> None:
    """Servers send a list in one piece; a wrapper around it would cost that."""
    body = [b"ab", b"c"]

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return body

    assert make_service().wsgi(app)(environ(), Recorder()) is body
    assert lines.parsed[0]["bytes"] == 3


def test_wsgi_the_servers_file_wrapper_passes_as_it_is(make_service: MakeService) -> None:
    class FileWrapper:
        def __init__(self, file: io.BytesIO) -> None:
            self.file = file

        def __iter__(self) -> Iterator[bytes]:
            return iter(self.file)

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        wrapped: Iterable[bytes] = environ["wsgi.file_wrapper"](io.BytesIO(b"abc"))
        return wrapped

    service = make_service()
    given = {**environ(), "wsgi.file_wrapper": FileWrapper}
    assert isinstance(service.wsgi(app)(given, Recorder()), FileWrapper)
    assert not service._inbound.drain.flights


def test_wsgi_an_app_that_raises_after_start_response(
    make_service: MakeService, lines: "Lines"
) -> None:
    """Nothing is sent before the first part of the body, so the answer can still be changed."""

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        raise LookupError

    said = Recorder()
    body = b"".join(make_service().wsgi(app)(environ(), said))
    assert said.said == ["500 Internal Server Error"]
    assert json.loads(body)["status"] == lines.parsed[0]["status"] == 500


def test_wsgi_an_app_that_returns_nothing_is_a_failure(make_service: MakeService) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        return None

    said = Recorder()
    make_service().wsgi(app)(environ(), said)
    assert said.said == ["500 Internal Server Error"]


@pytest.mark.parametrize(
    ("raw", "shown"), [("/caf\u00c3\u00a9", "/café"), ("/\u00ff", "/\ufffd"), ("/\u20ac", "/?")]
)
def test_wsgi_paths_are_shown_as_text(
    make_service: MakeService, lines: "Lines", raw: str, shown: str
) -> None:
    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return []

    make_service().wsgi(app)(environ(raw), Recorder())
    assert lines.parsed[0]["path"] == shown


async def test_asgi_a_stream_of_events_holds_no_place(make_service: MakeService) -> None:
    """It would hold it for hours, and the limit would learn that answers take none."""
    service = make_service()
    admission = service._inbound.admission
    assert admission is not None
    held: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        held.append(admission.stats().in_flight)
        kind = (b"content-type", b"text/event-stream; charset=utf-8")
        await send({"type": "http.response.start", "status": 200, "headers": [kind]})
        held.append(admission.stats().in_flight)
        await send({"type": "http.response.body", "body": b"data: 1\n\n"})

    await service.asgi(app)(scope_of("http"), _nothing, _silent)
    assert held == [1, 0]
    assert admission.stats().in_flight == 0


@pytest.mark.parametrize("outermost", [True, False])
async def test_asgi_a_cancelled_request_gives_everything_back(
    make_service: MakeService, *, outermost: bool
) -> None:
    """A server that cancels for a client that left need not hear of it; anybody else must."""
    service = make_service()
    begun = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        begun.set()
        await asyncio.sleep(3600)

    shell = service.asgi(app)
    shell.outermost = outermost
    task = asyncio.ensure_future(shell(scope_of("http"), _nothing, _silent))
    await begun.wait()
    task.cancel()
    (ended,) = await asyncio.gather(task, return_exceptions=True)
    assert isinstance(ended, asyncio.CancelledError) is not outermost
    assert service._inbound.admission is not None
    assert service._inbound.admission.stats().in_flight == 0
    assert not service._inbound.drain.flights
