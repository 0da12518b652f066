"""A limit that counts by somebody whom no function tells is named at the start."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.service.inbound.ratelimit.kit import limit

from mainstay.service.service import Service
from mainstay.spec.inbound import Inbound

LIMITS = (limit("9/s"), limit("5/s", by="user", name="each"), limit("5/s", by="tenant", name="all"))


@pytest.fixture
def service(make_service: Callable[..., Service]) -> Service:
    made = make_service(inbound=Inbound(rate_limit=LIMITS, access_log=False))
    made._inbound.drain.managed = True  # No signal handlers in a unit test.
    return made


async def start(service: Service, register: Callable[[], object] = lambda: None) -> None:
    """Live a lifespan in which the app registers something as it starts."""
    messages = iter(({"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}))

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        assert message["type"].endswith(".complete")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        register()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    await service.asgi(app)({"type": "lifespan"}, receive, send)


async def test_each_is_named_in_one_line(
    service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    await start(service)
    first, second = capsys.readouterr().err.splitlines()
    assert first == (
        "mainstay: the limit 'each' counts by user, and no function tells who that is: it counts "
        "by address until one is decorated with service.limit_key('user')"
    )
    assert second.startswith("mainstay: the limit 'all' counts by tenant, ")


async def test_what_is_registered_until_the_app_has_started_is_not_missed(
    service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    service.limit_key("tenant")(lambda _: "acme")
    await start(service, lambda: service.limit_key("user")(lambda _: "ann"))
    assert capsys.readouterr().err == ""


def test_a_server_without_lifespan_tells_that_it_starts(
    service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    """As ``serve.py`` does under WSGI: not when the app is wrapped, but when it is loaded."""
    service.wsgi(lambda _environ, _start: [])
    assert capsys.readouterr().err == ""
    service._inbound.drain.start()
    assert len(capsys.readouterr().err.splitlines()) == 2
