from collections.abc import Callable
from typing import Any

import pytest

from mainstay.service.service import Service

STARTUP, SHUTDOWN = {"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}


class Server:
    """What a server says and hears in a lifespan."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self._says = iter((STARTUP, SHUTDOWN))

    async def receive(self) -> Any:
        return next(self._says)

    async def send(self, message: Any) -> None:
        self.heard.append(message["type"].removeprefix("lifespan."))

    async def live(self, shell: Any) -> list[str]:
        await shell({"type": "lifespan"}, self.receive, self.send)
        return self.heard


@pytest.fixture
def service(make_service: Callable[..., Service]) -> Service:
    made = make_service()
    made._inbound.drain.managed = True  # No signal handlers in a unit test.
    return made


async def starts(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


async def knows_http_only(scope: Any, receive: Any, send: Any) -> None:
    assert scope["type"] == "http"


async def returns(scope: Any, receive: Any, send: Any) -> None:
    return


async def answers_anything(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200})


@pytest.mark.parametrize("app", [starts, knows_http_only, returns, answers_anything])
async def test_every_app_starts(app: Any, service: Service) -> None:
    """An app that knows no lifespan has one nevertheless: servers can insist on it."""
    assert not service._inbound.drain.started
    heard = await Server().live(service.asgi(app))
    assert heard == ["startup.complete", "shutdown.complete"]
    assert service._inbound.drain.started


async def test_a_start_that_raises_is_told_to_the_server(service: Service) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        raise ConnectionError("no database")

    server = Server()
    with pytest.raises(ConnectionError):
        await server.live(service.asgi(app))
    assert server.heard == ["startup.failed"]
    assert not service._inbound.drain.started


async def test_a_start_that_failed_by_its_own_word_is_told_once(service: Service) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no"})
        raise ConnectionError("no database")

    server = Server()
    with pytest.raises(ConnectionError):
        await server.live(service.asgi(app))
    assert server.heard == ["startup.failed"]


async def test_a_probe_while_starting(service: Service) -> None:
    """Some servers answer before the app has started; then it is not ready, and it lives."""
    statuses: list[int] = []

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    async def app(scope: Any, receive: Any, _send: Any) -> None:
        await receive()
        for probe in ("startup", "ready", "live"):
            path = f"/health/{probe}"
            scope = {"type": "http", "method": "GET", "path": path, "headers": []}
            await shell(scope, receive, send)

    shell = service.asgi(app)
    await Server().live(shell)
    assert statuses == [503, 503, 200]


async def test_the_way_out_in_a_lifespan(service: Service) -> None:
    """Background work may need what the app closes; closers run before the server hears the end."""
    order: list[str] = []

    class Tells(Server):
        async def send(self, message: Any) -> None:
            await super().send(message)
            order.append(f"server: {self.heard[-1]}")

    async def work() -> None:
        order.append("background")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        service.background(work)
        await receive()
        order.append("app")
        await send({"type": "lifespan.shutdown.complete"})

    for stage in ("telemetry", "pools", "clients"):
        service.on_stop(lambda stage=stage: order.append(stage), stage=stage)  # type: ignore[misc]
    await Tells().live(service.asgi(app))
    assert order == [
        "server: startup.complete",
        "background",
        "app",
        "clients",
        "pools",
        "telemetry",
        "server: shutdown.complete",
    ]


async def test_an_app_that_breaks_off_is_closed_all_the_same(service: Service) -> None:
    closed: list[str] = []
    service.on_stop(lambda: closed.append("clients"))

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        raise ConnectionError("the pool is gone")

    with pytest.raises(ConnectionError):
        await Server().live(service.asgi(app))
    assert closed == ["clients"]
