"""Ending a handler that its framework runs in a task of its own, without such a framework."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from mainstay.core.alarm import RANG, Alarm
from mainstay.service.inbound.asgi import dismissal
from mainstay.service.inbound.asgi.dismissal import Dismissing, ends_by_disconnect
from mainstay.service.inbound.exchange import EXCHANGE_KEY
from mainstay.service.inbound.problems.refusal import Refused


class Flight(Alarm):
    """As much of a flight as a framework's end depends on."""

    def __init__(self) -> None:
        self.armed = True
        self.status = 0


class Server:
    """One request as the shell hands it on, whose time can be made to be up."""

    def __init__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.flight = Flight()
        self.flight.task = task
        self.flight.cancelling = 0
        self.flight.parked = SimpleNamespace(pop=None)
        self.scope: dict[str, Any] = {"type": "http", EXCHANGE_KEY: self.flight}

    def ring(self) -> None:
        self.flight.parked = RANG
        self.flight.task.cancel()

    async def receive(self) -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")

    async def send(self, message: Any) -> None:
        del message


async def framework(scope: Any, receive: Any, send: Any, ended: list[str]) -> None:
    """Do as Quart does."""

    async def handler() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append("handler")
            raise

    async def listener() -> None:
        ended.append((await receive())["type"])

    tasks = [asyncio.create_task(listener()), asyncio.create_task(handler())]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    tasks[1].cancel()
    await asyncio.wait(tasks)


async def test_the_handler_has_ended_when_the_request_is_refused() -> None:
    ended: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await framework(scope, receive, send, ended)

    server = Server()
    asyncio.get_running_loop().call_soon(server.ring)
    with pytest.raises(Refused) as caught:
        await Dismissing(app)(server.scope, server.receive, server.send)
    assert caught.value.refusal.status == 504
    assert ended == ["http.disconnect", "handler"]
    assert server.flight.task.uncancel() == 0


async def test_an_app_that_was_told_is_told_again() -> None:
    """It may ask only after its time was up."""
    told: list[str] = []
    server = Server()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        server.ring()
        told.extend([(await receive())["type"] for _ in range(2)])

    with pytest.raises(Refused):
        await Dismissing(app)(server.scope, server.receive, server.send)
    assert told == ["http.disconnect"] * 2


async def test_who_does_not_listen_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dismissal, "GRACE_S", 0.0)
    server = Server()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.Event().wait()

    asyncio.get_running_loop().call_soon(server.ring)
    with pytest.raises(asyncio.CancelledError) as caught:
        await Dismissing(app)(server.scope, server.receive, server.send)
    assert server.flight.silence(caught.value)


async def test_somebody_elses_cancellation_passes() -> None:
    server = Server()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()

    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().call_soon(task.cancel)
    with pytest.raises(asyncio.CancelledError):
        await Dismissing(app)(server.scope, server.receive, server.send)
    assert task.uncancel() == 0


async def test_an_answer_that_was_given_stays() -> None:
    server = Server()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        server.flight.status = 200
        server.ring()
        await receive()

    await Dismissing(app)(server.scope, server.receive, server.send)


def test_only_those_frameworks_are_told() -> None:
    from django.core.handlers.asgi import ASGIHandler  # type: ignore[import-untyped]  # Ships no types.
    from fastapi import FastAPI
    from litestar import Litestar
    from quart import Quart
    from starlette.applications import Starlette

    class Own(Quart):
        """A framework that somebody makes his own."""

    told = [
        ends_by_disconnect(app) for app in (Quart("a"), Own("a"), ASGIHandler.__new__(ASGIHandler))
    ]
    others = [ends_by_disconnect(app) for app in (FastAPI(), Starlette(), Litestar())]
    assert (told, others) == ([True] * 3, [False] * 3)
