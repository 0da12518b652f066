"""Handlers that end by neither an answer nor an error: their clients get a problem all the same."""

import asyncio
import json
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from tests.service.inbound.asgi.test_shell import scope_of

from mainstay.service.inbound.handler_ended import HandlerEnded
from mainstay.service.inbound.telling import Telling
from mainstay.service.service import Service
from mainstay.spec.declaration import Declaration
from mainstay.spec.inbound import Inbound
from mainstay.spec.perimeter import Errors

if TYPE_CHECKING:
    from mainstay.service.inbound.exchange import Exchange

Ends = Callable[[], BaseException]


class World:
    """A service, and what was told of its requests."""

    def __init__(self, inbound: Inbound | None = None) -> None:
        self.failed: list[BaseException] = []
        self.ended_with: list[tuple[int, str | None]] = []
        self.sent: list[Any] = []
        self.service = Service(
            Declaration(service="shop", app="shop:app", inbound=inbound or Inbound()),
            environ={},
            telling=Telling(observer=self, failed=lambda _, error: self.failed.append(error)),
        )

    def ended(self, exchange: "Exchange", ended_s: float) -> None:
        self.ended_with.append((exchange.status, exchange.error))

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    async def ask(self, app: Any, receive: Any, **changed: Any) -> None:
        """Ask an app by a request that says ``receive``. Any: ASGI."""
        await self.service.asgi(app)(scope_of("http", **changed), receive, self.send)

    def problem(self) -> Any:
        """Return the one document that was answered. Any: parsed JSON."""
        start, body = self.sent
        headers = {name.decode(): value.decode() for name, value in start["headers"]}
        assert headers["content-type"] == "application/problem+json"
        assert headers["x-content-type-options"] == "nosniff"
        document = json.loads(body["body"])
        assert document["request_id"] == headers["x-request-id"]
        assert document["status"] == start["status"]
        return document


async def stays() -> Any:
    """A client that has said all and waits."""
    await asyncio.Event().wait()


async def left() -> Any:
    return {"type": "http.disconnect"}


ENDS: dict[str, Ends] = {
    "SystemExit": lambda: SystemExit(3),
    "CancelledError": asyncio.CancelledError,
    "BaseExceptionGroup": lambda: BaseExceptionGroup("both", [SystemExit(3), ValueError()]),
}


@pytest.mark.parametrize("name", ENDS)
async def test_what_is_no_exception_is_a_problem_and_told_once(name: str) -> None:
    """The server would answer in words of its own, say nothing, or end."""
    world, error = World(), ENDS[name]()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise error

    await world.ask(app, stays)
    assert world.problem()["type"].endswith("#internal-error")
    assert world.failed == [error]
    assert world.ended_with == [(500, name)]


@pytest.mark.parametrize("name", ENDS)
async def test_what_has_begun_is_torn_off_by_an_error_that_ends_no_server(name: str) -> None:
    world, error = World(), ENDS[name]()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise error

    with pytest.raises(HandlerEnded) as raised:
        await world.ask(app, stays)
    assert raised.value.__cause__ is error
    assert world.failed == [error]


async def test_a_task_that_somebody_else_cancelled_is_the_handlers_own_end() -> None:
    world = World()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        task = asyncio.ensure_future(stays())
        asyncio.get_running_loop().call_soon(task.cancel)
        await task

    await world.ask(app, stays)
    assert world.problem()["status"] == 500
    assert [type(error) for error in world.failed] == [asyncio.CancelledError]


async def test_who_cancels_from_outside_is_obeyed() -> None:
    world, begun = World(), asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        begun.set()
        await stays()

    task = asyncio.ensure_future(world.ask(app, stays))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (world.sent, world.failed) == ([], [])
    assert world.ended_with == [(0, "CancelledError")]


async def test_an_app_that_says_nothing_has_failed() -> None:
    world = World()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        """Return."""

    await world.ask(app, stays)
    assert world.problem()["type"].endswith("#internal-error")
    assert [type(error) for error in world.failed] == [HandlerEnded]


@pytest.mark.parametrize("parts", [0, 3])
async def test_an_app_that_says_nothing_to_who_has_left_has_not(parts: int) -> None:
    """Also where it has not read the body that came before."""
    world = World()
    messages = [{"type": "http.request", "body": b"x", "more_body": True}] * parts

    async def receive() -> Any:
        return messages.pop() if messages else await left()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        """Return."""

    await world.ask(app, receive)
    assert (world.sent, world.failed) == ([], [])
    assert world.ended_with == [(0, None)]


async def test_a_body_without_end_is_not_read_for_ever() -> None:
    world, asked = World(), 0

    async def receive() -> Any:
        nonlocal asked
        asked += 1
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        """Return."""

    await world.ask(app, receive)
    assert world.problem()["status"] == 500
    assert asked == 64


@pytest.mark.parametrize("kind", ["body", "pathsend"])
async def test_over_http_2_the_answer_to_head_has_no_body(kind: str) -> None:
    """There a server sends what the app says, and clients end the connection."""
    world = World()
    last: dict[str, Any] = {"body": b"hello"} if kind == "body" else {"path": "/of/a/file"}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        length = [(b"content-length", b"5")]
        await send({"type": "http.response.start", "status": 200, "headers": length})
        await send({"type": f"http.response.{kind}", **last})

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    await world.ask(app, receive, method="HEAD", http_version="2")
    assert world.failed == []
    start, body = world.sent
    assert (b"content-length", b"5") in start["headers"]
    assert (body["type"], body["body"]) == ("http.response.body", b"")


@pytest.mark.parametrize("errors", ["as_is", "problem"])
async def test_the_deadline_holds_while_an_error_is_held(errors: str) -> None:
    """Its client has nothing yet: the beginning that the app said has not left."""
    world = World(Inbound(deadline_s=0.02, errors=Errors(app=errors)))

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 500, "headers": []})
        await asyncio.Event().wait()

    async with asyncio.timeout(20):
        await world.ask(app, stays)
    assert world.problem()["type"].endswith("#deadline-exceeded")
    assert world.ended_with == [(504, None)]


async def test_an_error_that_streams_has_begun_and_may_take_its_time() -> None:
    """Its reader has the beginning, so that no deadline holds any more."""
    world = World(Inbound(deadline_s=0.02))

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 500, "headers": []})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        flight = scope["mainstay.exchange"]
        assert (flight.armed, flight.expires_s) == (False, math.inf)
        await send({"type": "http.response.body", "body": b"second"})

    await world.ask(app, stays)
    assert [message.get("body") for message in world.sent] == [None, b"first", b"second"]


@pytest.mark.parametrize(("said", "status"), [(0, 500), (200, 200)])
async def test_what_the_drain_cuts_off_has_its_line(said: int, status: int) -> None:
    """As an error of the service: its client did not leave."""
    world, begun = World(), asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if said:
            await send({"type": "http.response.start", "status": said, "headers": []})
        begun.set()
        await stays()

    task = asyncio.ensure_future(world.ask(app, stays))
    await begun.wait()
    assert world.service._inbound.drain.cut() == 1
    assert world.ended_with == [(status, "CutOffByDrain")]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
