"""When the time of a request is up: its client hears of it at once, whatever the app does."""

import asyncio
import threading
from functools import partial
from typing import Any

from anyio import to_thread

from mainstay.service.service import Service
from mainstay.spec.declaration import Declaration
from mainstay.spec.inbound import Inbound

SOON = Inbound(deadline_s=0.02)
START = {"type": "http.response.start", "status": 200, "headers": []}
BODY = {"type": "http.response.body", "body": b"late"}
SCOPE = {"type": "http", "method": "GET", "path": "/", "http_version": "1.1", "headers": []}


class Client:
    """What the server would send, and an event once an answer is whole."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.answered = asyncio.Event()

    async def send(self, message: Any) -> None:
        self.sent.append(message)
        if message["type"] == "http.response.body":
            self.answered.set()

    async def receive(self) -> Any:
        return {"type": "http.request", "body": b""}


def service_with(inbound: Inbound) -> Service:
    """Return a service by the machine's clock: a thread can't live in virtual time."""
    declaration = Declaration(service="shop", app="shop:app", inbound=inbound)
    return Service(declaration, environ={})


def in_flight(service: Service) -> int:
    admission = service._inbound.admission
    assert admission is not None
    return admission.stats().in_flight


async def test_a_handler_that_swallows_its_end_is_not_waited_for() -> None:
    """What it says afterwards goes nowhere."""
    service, client = service_with(SOON), Client()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            await client.answered.wait()
        await send(START)
        await send(BODY)

    await service.asgi(app)(dict(SCOPE), client.receive, client.send)
    assert [message.get("status") for message in client.sent] == [504, None]
    assert in_flight(service) == 0


async def test_a_thread_that_works_on_holds_its_place() -> None:
    """Its client is answered in time; a place given back would make threads without end."""
    service, client, done = service_with(SOON), Client(), threading.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await to_thread.run_sync(partial(done.wait, 60))
        await send(START)
        await send(BODY)

    task = asyncio.ensure_future(service.asgi(app)(dict(SCOPE), client.receive, client.send))
    await client.answered.wait()
    assert client.sent[0]["status"] == 504
    await asyncio.sleep(0)
    assert not task.done()
    assert in_flight(service) == 1
    done.set()
    await task
    assert in_flight(service) == 0
    assert len(client.sent) == 2


async def test_work_after_the_answer_holds_no_place() -> None:
    """As the background tasks of Starlette; the drain still waits for it."""
    service, client = service_with(Inbound()), Client()
    held: list[tuple[int, int]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(BODY)
        held.append((in_flight(service), len(service._inbound.drain.flights)))

    await service.asgi(app)(dict(SCOPE), client.receive, client.send)
    assert held == [(0, 1)]
    assert in_flight(service) == 0


async def test_a_client_that_left_is_not_told() -> None:
    service = service_with(SOON)

    async def send(message: Any) -> None:
        raise OSError("gone")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(3600)

    await service.asgi(app)(dict(SCOPE), Client().receive, send)
    assert in_flight(service) == 0
    assert not service._inbound.drain.flights
