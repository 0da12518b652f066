"""What the ASGI shell has of its own: cancellation, websockets, streams, other scopes."""

import asyncio
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Any

import pytest
from tests.service.inbound.shells import TRACEPARENT

from mainstay.core.trace import current_trace, enter_trace, leave_trace
from mainstay.service.service import Service

if TYPE_CHECKING:
    from tests.service.conftest import Lines

MakeService = Callable[..., Service]


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


async def test_a_client_that_leaves_is_no_answer(make_service: MakeService, lines: "Lines") -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()

    await make_service().asgi(app)(scope_of("http"), _nothing, _silent)
    assert (lines.parsed[0]["status"], lines.parsed[0]["client"]) == (499, None)


class Status(int, Enum):
    """As frameworks let an app say it; equal to a number, and shown by its name."""

    OK = 200


async def test_a_status_may_be_an_enumeration(make_service: MakeService, lines: "Lines") -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": Status.OK, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    wrapped = make_service().asgi(app)
    for _ in range(2):
        await wrapped(scope_of("http"), _nothing, _silent)
    assert [line["status"] for line in lines.parsed] == [200, 200]


@pytest.mark.parametrize("entered", [False, True])
async def test_each_of_two_requests_in_one_task_has_its_own_trace(
    make_service: MakeService, *, entered: bool
) -> None:
    """Also where the first has entered another trace, as a span within it does."""
    service, seen = make_service(), []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        seen.append(current_trace())

    async def outer(scope: Any, receive: Any, send: Any) -> None:
        trace = current_trace()
        token = enter_trace(trace) if entered else None
        await service.asgi(inner)(scope_of("http"), receive, send)
        seen.append(trace)
        assert current_trace() is trace
        if token is not None:
            leave_trace(token)

    await service.asgi(outer)(scope_of("http"), _nothing, _silent)
    assert None not in seen
    assert len({trace.trace_id for trace in seen if trace is not None}) == 2
    assert current_trace() is None


async def test_cancellation_passes_and_is_written_down(
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


async def test_an_app_that_raises_after_its_answer_is_whole(
    make_service: MakeService, capsys: pytest.CaptureFixture[str]
) -> None:
    """A background task of Starlette's, say: the client has its answer, the log the error."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body"})
        raise LookupError

    await make_service().asgi(app)(scope_of("http"), _nothing, _silent)
    assert capsys.readouterr().err.count("Traceback") == 1


async def test_websockets_pass_and_count_until_they_end(
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


async def test_http_2_knows_no_connection_header(make_service: MakeService) -> None:
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


async def test_two_traceparents_are_none(make_service: MakeService) -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(current_trace())

    twice = [(b"traceparent", TRACEPARENT.encode())] * 2
    await make_service().asgi(app)(scope_of("http", headers=twice), _nothing, _silent)
    assert seen[0].parent_id is None


async def test_unknown_scopes_pass(make_service: MakeService) -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    await make_service().asgi(app)({"type": "telepathy"}, _nothing, _silent)
    assert seen == ["telepathy"]


async def test_a_stream_of_events_holds_no_place(make_service: MakeService) -> None:
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
async def test_a_cancelled_request_gives_everything_back(
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
